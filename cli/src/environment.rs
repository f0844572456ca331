//! Variables of the environment that look like CredLink's and that nothing reads, most likely because they are misspelt.

use credlink_deployment::configuration::unknown_in_the_environment;
use tracing::Level;

use crate::printer::Printer;

/// Tells of variables without effect: in the log of a server, and otherwise, or if the log leaves warnings out, as remarks on
/// stderr.
pub fn tell_of_unknown(printer: &Printer) {
    for unknown in unknown_in_the_environment() {
        if tracing::enabled!(Level::WARN) {
            tracing::warn!("{unknown}");
        } else {
            printer.remark(&unknown.to_string());
        }
    }
}

//! The function `retrieve`: GET and HEAD, but for links.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::http()
}

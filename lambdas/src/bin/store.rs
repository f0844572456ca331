//! The function `store`: POST and PUT, and links.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::http()
}

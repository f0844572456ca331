//! The function `store`: POST and PUT.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::http()
}

//! The function `retrieve`: GET and HEAD.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::http()
}

//! The function `retrieve`: serves GET and HEAD, except for links.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::http()
}

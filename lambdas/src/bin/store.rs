//! The function `store`: serves POST, PUT and links.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::http()
}

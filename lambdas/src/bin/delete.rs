//! The function `delete`: serves DELETE and batch deletion.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::http()
}

//! The function `delete`: DELETE, and deletion in batches.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::http()
}

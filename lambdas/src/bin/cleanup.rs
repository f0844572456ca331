//! The function `cleanup`: removes expired proofs, orphans and stale uploads.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::cleanup()
}

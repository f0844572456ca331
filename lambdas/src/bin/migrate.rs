//! The function `migrate`: replicates objects that a provider missed, and copies the items of queued migrations.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::queue()
}

//! The function `migrate`: replicates what a provider missed.

use std::process::ExitCode;

fn main() -> ExitCode {
    credlink_lambdas::start::queue()
}

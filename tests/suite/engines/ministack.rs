//! S3 and SQS by ministack, one process for the whole test binary.
//!
//! Its limits, which the tests respect: a wrong *secret* is accepted on plain calls (signed URLs are checked, and so is
//! the access key); parts under 5 MB and batch deletions of more than 1,000 keys are not refused; nothing is ever
//! throttled, and no answer gets lost.

use std::process::Command;
use std::sync::OnceLock;

use super::{Process, free_port, tool};

/// The access key that ministack accepts.
pub const ACCESS_KEY: &str = "AKIACREDLINKTESTS";
/// The secret of that key.
pub const SECRET: &str = "a secret of the tests";
/// The region of all resources.
pub const REGION: &str = "eu-central-1";

/// The address of ministack, which is the same for S3 and SQS.
pub fn endpoint() -> &'static str {
    static ENGINE: OnceLock<(Process, String)> = OnceLock::new();
    let (_, endpoint) = ENGINE.get_or_init(|| {
        let port = free_port();
        let mut command = Command::new(tool("python/bin/ministack"));
        command
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("SERVICES", "s3,sqs")
            .env("AUTH", "true")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env_remove("AWS_SESSION_TOKEN")
            .env("MINISTACK_REGION", REGION)
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("S3_PERSIST", "0")
            .env("PERSIST_STATE", "0")
            .env("LOG_LEVEL", "ERROR");
        let mut process = Process::start(&command);
        process.wait_for_port(port);
        process.silence();
        (process, format!("http://127.0.0.1:{port}"))
    });
    endpoint
}

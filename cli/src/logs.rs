//! Logs, on stderr. `CREDLINK_LOG` says what is logged, as in `info` or `credlink_service=debug`.

use std::io::stderr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// The environment variable that says what is logged.
const VARIABLE: &str = "CREDLINK_LOG";

/// Logs for a server: one JSON object a line.
pub fn for_a_server() {
    // The span is the request: its id stands on every line under it.
    let format = fmt().json().flatten_event(true).with_span_list(false);
    let subscriber = format.with_env_filter(filter("info")).with_writer(stderr);
    // It fails only where a subscriber is set already, which then does the work.
    let _ = subscriber.try_init();
    // A panic becomes a line of the log too, instead of text between its lines.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}

/// Logs for a command that works on a folder itself: what a server would log as an error, in words.
pub fn for_a_command() {
    let subscriber = fmt().with_env_filter(filter("error")).with_target(false).with_writer(stderr);
    let _ = subscriber.try_init();
}

fn filter(default: &str) -> EnvFilter {
    EnvFilter::builder()
        .with_default_directive(default.parse().unwrap_or_default())
        .with_env_var(VARIABLE)
        .from_env_lossy()
}

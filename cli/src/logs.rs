//! Logs, on stderr. `CREDLINK_LOG` sets the level, such as `info`, or a filter, such as `credlink_service=debug`.

use std::io::stderr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// The environment variable with the level or filter of the log.
const VARIABLE: &str = "CREDLINK_LOG";

/// Installs the logs of a server, with one JSON object per line.
pub fn for_a_server() {
    // The span is the request, and its ID appears on every line that is logged within it.
    let format = fmt().json().flatten_event(true).with_span_list(false);
    // A log that cannot be written, on a full disk or to a reader that has gone, is no reason to end: the subscriber would
    // report it on stderr, and panic there.
    let format = format.log_internal_errors(false);
    let subscriber = format.with_env_filter(filter("info")).with_writer(stderr);
    // This fails only if a subscriber is already installed, which then does the work.
    let _ = subscriber.try_init();
    // A panic becomes a line of the log as well, instead of loose text between its lines.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}

/// Installs the logs of a command that works on a folder itself: in plain words, what a server would log as an error.
pub fn for_a_command() {
    let format = fmt().with_target(false).log_internal_errors(false);
    let subscriber = format.with_env_filter(filter("error")).with_writer(stderr);
    let _ = subscriber.try_init();
}

fn filter(default: &str) -> EnvFilter {
    EnvFilter::builder()
        .with_default_directive(default.parse().unwrap_or_default())
        .with_env_var(VARIABLE)
        .from_env_lossy()
}

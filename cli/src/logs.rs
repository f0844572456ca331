//! Logs, on stderr. `CREDLINK_LOG` sets the level, such as `info`, or a filter, such as `credlink_service=debug`.

use std::io::stderr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
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
    let (filter, unknown) = filter("info");
    let subscriber = format.with_env_filter(filter).with_writer(stderr);
    // This fails only if a subscriber is already installed, which then does the work.
    let _ = subscriber.try_init();
    // A panic becomes a line of the log as well, instead of loose text between its lines.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
    tell(unknown);
}

/// Installs the logs of a command that works on a folder itself: in plain words, what a server would log as an error.
pub fn for_a_command() {
    let format = fmt().with_target(false).log_internal_errors(false);
    let (filter, unknown) = filter("error");
    let subscriber = format.with_env_filter(filter).with_writer(stderr);
    let _ = subscriber.try_init();
    tell(unknown);
}

/// Returns the filter in the environment, or the default one. A word that is no level would switch everything off but a target of
/// that name: it is not taken, and is returned to be told.
fn filter(default: &str) -> (EnvFilter, Option<String>) {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    let unknown = text.split(',').map(str::trim).any(|part| !part.is_empty() && !is_directive(part));
    let default = EnvFilter::builder().with_default_directive(default.parse().unwrap_or_default());
    match unknown {
        true => (default.parse_lossy(""), Some(text)),
        false => (default.parse_lossy(&text), None),
    }
}

/// Returns `true` for a level, and for a target with one.
fn is_directive(text: &str) -> bool {
    let level = text.rsplit_once('=').map_or(text, |(_, level)| level);
    // The empty text is a level to the parser.
    !level.is_empty() && level.parse::<LevelFilter>().is_ok()
}

/// Tells that a filter is not taken, in the log that it should have set.
fn tell(unknown: Option<String>) {
    if let Some(text) = unknown {
        tracing::error!(
            "{VARIABLE} is `{text}`, and is ignored; allowed is `error`, `warn`, `info`, `debug`, `trace`, `off`, or a list such as \
             `info,credlink_service=debug`"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_levels() {
        for good in ["warn", "WARN", "off", "credlink_service=debug", "credlink_service[request]=trace"] {
            assert!(is_directive(good), "{good}");
        }
        for bad in ["warning", "loud", "credlink::service", "credlink_service=loud", "="] {
            assert!(!is_directive(bad), "{bad}");
        }
    }
}

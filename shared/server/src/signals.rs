//! The signals that end the server.

use std::future::Future;
use std::io;

/// Takes the signals that ask to stop. The future ends when one comes, with its name.
///
/// # Errors
/// The system does not tell of signals.
pub fn told_to_stop() -> io::Result<impl Future<Output = &'static str>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    #[cfg(unix)]
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
        #[cfg(not(unix))]
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            // Where the signal cannot be had, the server runs until it is ended from outside.
            Err(_) => std::future::pending().await,
        }
    })
}

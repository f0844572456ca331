//! The signals that end the server.

use std::future::Future;
use std::io;

/// Listens for the signals that ask the server to stop. The future ends when one arrives, with its name.
///
/// # Errors
/// The system does not deliver signals.
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
            // If the signal cannot be received, the server runs until it is ended from outside.
            Err(_) => std::future::pending().await,
        }
    })
}

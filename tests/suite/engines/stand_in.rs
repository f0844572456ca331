//! A stand-in for a server of somebody else, in this process.

use std::future::Future;
use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A stand-in, which runs on a port of its own until it is dropped.
#[derive(Debug)]
pub struct StandIn {
    url: String,
    _stop: oneshot::Sender<()>,
}

impl StandIn {
    /// Starts one that accepts connections by `accept`, on a runtime of its own, which continues while that of the test is
    /// busy.
    pub fn start<F: Future<Output = ()>>(accept: impl FnOnce(TcpListener) -> F + Send + 'static) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(TcpListener::from_std(listener).unwrap()) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { url, _stop: stop }
    }

    /// The URL of the stand-in.
    pub fn url(&self) -> &str {
        &self.url
    }
}

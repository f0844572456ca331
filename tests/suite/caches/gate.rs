//! A network connection between a process and its Redis, which can be cut.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Forwards connections to a server while it is open.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    /// The open connections, or `None` while the gate is shut.
    connections: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Gate {
    /// Opens a gate in front of the server at `port`.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let gate = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::new(Mutex::new(Some(JoinSet::new()))),
        };
        let connections = gate.connections.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if let Some(open) = &mut *connections.lock().unwrap() {
                    open.spawn(async move {
                        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    });
                }
            }
        });
        gate
    }

    /// The address of the gate, as a Redis URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Cuts every connection, and closes new ones at once.
    pub fn shut(&self) {
        *self.connections.lock().unwrap() = None;
    }

    /// Forwards new connections again.
    pub fn open(&self) {
        *self.connections.lock().unwrap() = Some(JoinSet::new());
    }
}

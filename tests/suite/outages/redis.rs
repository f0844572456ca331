//! Redis does not work, which costs only cache hits.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::load::Load;
use super::site::{Site, with_stack};
use crate::engines::redis::shared;

/// A fault in the answers of Redis.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Fault {
    #[default]
    Pass,
    /// Connections end at once.
    Refuse,
    /// The answer never comes.
    Hang,
    /// The connection ends within the answer.
    CutAfter(usize),
    /// The answer comes late.
    Slow(Duration),
}

/// A network in front of the shared Redis.
struct Network {
    url: String,
    fault: Arc<Mutex<Fault>>,
    connections: Arc<Mutex<JoinSet<()>>>,
}

impl Network {
    async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("redis://{}/0", listener.local_addr().unwrap());
        let fault = Arc::new(Mutex::new(Fault::Pass));
        let connections: Arc<Mutex<JoinSet<()>>> = Arc::default();
        let (shared_fault, open) = (fault.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *shared_fault.lock().unwrap() != Fault::Refuse {
                    open.lock().unwrap().spawn(pass(client, shared_fault.clone()));
                }
            }
        });
        Self { url, fault, connections }
    }

    /// Ends every connection, and applies the fault to the next ones.
    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
        *self.connections.lock().unwrap() = JoinSet::new();
    }
}

async fn pass(client: TcpStream, fault: Arc<Mutex<Fault>>) {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, shared().port())).await.unwrap();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let asked = copy(from_client, to_server, Arc::default());
    tokio::select! {
        () = asked => {}
        () = copy(from_server, to_client, fault) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fault: Arc<Mutex<Fault>>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let fault = *fault.lock().unwrap();
        let passes = match fault {
            Fault::Pass => length,
            Fault::Refuse => return,
            Fault::Hang => continue,
            Fault::CutAfter(bytes) => bytes.min(length),
            Fault::Slow(delay) => {
                tokio::time::sleep(delay).await;
                length
            }
        };
        if to.write_all(&buffer[..passes]).await.is_err() || matches!(fault, Fault::CutAfter(_)) {
            return;
        }
    }
}

async fn outage(fault: Fault) {
    let network = Network::new().await;
    let with_redis = Site { redis: Some(network.url.clone()), ..Site::new().await };
    let load = Load::new();
    load.seed(&with_redis.process().await).await;
    let process = with_redis.process().await;
    network.set(fault);
    let when = format!("Redis with {fault:?}");
    load.run(&process, &when).await;
    load.check(&with_redis.process().await, &format!("{when}, another process")).await;
    let stats: Value = serde_json::from_slice(process.get("/v1/stats").await.body()).unwrap();
    let layers = stats["cache"]["layers"].as_array().unwrap();
    let errors = layers.iter().find(|layer| layer["layer"] == "l2").map(|layer| &layer["errors"]);
    assert!(errors.and_then(Value::as_u64).is_some_and(|errors| errors > 0), "{when}: {stats}");
    network.set(Fault::Pass);
    load.check(&process, &format!("{when}, over")).await;
    assert_eq!(process.depth().await, 0, "{when}: no provider missed anything");
    with_redis.check_whole(&when).await;
}

#[test]
fn refuses() {
    with_stack(async || {
        outage(Fault::Refuse).await;
    });
}

#[test]
fn hangs() {
    with_stack(async || {
        outage(Fault::Hang).await;
    });
}

#[test]
fn ends_within_answers() {
    with_stack(async || {
        outage(Fault::CutAfter(3)).await;
    });
}

#[test]
fn is_slow() {
    with_stack(async || {
        outage(Fault::Slow(Duration::from_millis(400))).await;
    });
}

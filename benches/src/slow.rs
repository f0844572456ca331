//! The latency of other clients beside slow clients, which read no answer or send half of a body.
//!
//! The slow clients connect from another address of the loopback interface, as from another network, because clients of
//! the same address also share their allowance.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use crate::client::{get, once};
use crate::error::Error;
use crate::load::{self, Outcome};
use crate::material::{MaterialKind, manifest_id};
use crate::plan::Plan;
use crate::reads::learn;
use crate::report::{Cell, Table, progress};
use crate::server::Server;
use crate::spread::Spread;
use crate::stores::Numbers;
use crate::work::{Reads, Wanted};

/// Numbers of slow clients, each with its own measurement.
const SLOW: [usize; 3] = [1, 200, 2_048];
/// Number of other clients, which read hot records.
const OTHERS: usize = 4;
/// Number of hot records, which are followed by as many manifests that are never read.
const HOT: u64 = 64;
/// The address from which the slow clients connect.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The bytes that the system buffers for a client that does not read.
const RECEIVE_BUFFER_BYTES: u32 = 4_096;
/// A request that is not accepted within this time is abandoned.
const TAKEN: Duration = Duration::from_millis(20);
/// The time after which the slow clients hold all that they will hold.
const SETTLED: Duration = Duration::from_secs(3);

/// A way of being slow.
#[derive(Clone, Copy)]
enum Slow {
    Unread,
    HalfSent,
}

impl Slow {
    const fn name(self) -> &'static str {
        match self {
            Self::Unread => "read no manifest of 66 KB",
            Self::HalfSent => "send half of a body of 1 MB",
        }
    }

    /// The bytes that client `number` sends.
    fn sent(self, number: usize) -> Vec<u8> {
        match self {
            Self::Unread => {
                let id = manifest_id(HOT + number as u64 % HOT);
                let request = format!("GET /v1/manifests/{id} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
                // More than the system buffers.
                request.repeat(64).into_bytes()
            }
            Self::HalfSent => {
                let head = "POST /v1/proofs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
                            content-length: 1000000\r\n\r\n";
                [head.as_bytes(), &vec![b' '; 500_000]].concat()
            }
        }
    }
}

/// Measures the latency of other clients, in turn without slow clients and beside each number of them.
///
/// # Errors
/// Fails if a read of the other clients fails or is wrong.
pub fn run(plan: &Plan) -> Result<(), Error> {
    let mut table = Table::new(
        "Others beside slow clients (`slow`)",
        "Four connections read hot records of 4 KB, while so many clients of another address are slow. The ratio is to the \
         p99 of the same connections alone, in the same round. Memory is the most that the process had so far (`VmHWM`).",
        &["the slow", "how many", "reads/s", "p99, ms", "p99 alone, ms", "ratio", "memory, MB"],
    );
    let data = tempfile::tempdir_in(&plan.folder).map_err(Error::io("making a folder"))?;
    let server = Server::credlink(&plan.server, data.path())?;
    let mut numbers = Numbers::default();
    numbers.store(&server, MaterialKind::Json, OTHERS, HOT as usize)?;
    let reads = learn(&server, Wanted::Record, HOT)?;
    numbers.store(&server, MaterialKind::C2pa, OTHERS, HOT as usize)?;
    check(&server)?;
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(Error::io("starting a runtime"))?;
    for slow in [Slow::Unread, Slow::HalfSent] {
        for count in SLOW {
            progress(&format!("others beside {count} who {}", slow.name()));
            let rounds = (0..plan.rounds).map(|_| {
                let alone = others(plan, &server, &reads)?;
                let held = begin(&runtime, server.address, slow, count)?;
                let beside = others(plan, &server, &reads)?;
                drop(held);
                std::thread::sleep(SETTLED);
                Ok([alone, beside])
            });
            let rounds = rounds.collect::<Result<Vec<_>, Error>>()?;
            let of = |value: fn(&[Outcome; 2]) -> f64| Spread::of(rounds.iter().map(value));
            table.row([
                slow.name().into(),
                Cell::from(count),
                of(|[_, beside]| beside.per_second).into(),
                of(|[_, beside]| beside.p99).into(),
                of(|[alone, _]| alone.p99).into(),
                of(|[alone, beside]| beside.p99 / alone.p99).into(),
                Cell::from(server.most_memory()?),
            ]);
        }
    }
    plan.printer.table(&table);
    server.stop()
}

/// Checks that there is a manifest to leave unread.
fn check(server: &Server) -> Result<(), Error> {
    let answer = once(server.address, get(&format!("/v1/manifests/{}", manifest_id(HOT)))?)?;
    if answer.status.is_success() { Ok(()) } else { Err(Error::wrong("reading a manifest", answer.status)) }
}

fn others(plan: &Plan, server: &Server, reads: &Reads) -> Result<Outcome, Error> {
    load::run(server.address, OTHERS, plan.operations(20_000.0, OTHERS), reads)
}

/// Connects this many slow clients, which stay until they are dropped, or until the server disconnects them.
fn begin(runtime: &Runtime, to: SocketAddr, slow: Slow, count: usize) -> Result<Vec<TcpStream>, Error> {
    runtime.block_on(async {
        let mut held = Vec::with_capacity(count);
        for number in 0..count {
            let socket = TcpSocket::new_v4().map_err(Error::io("making a socket"))?;
            socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).map_err(Error::io("making a socket"))?;
            socket.bind((ELSEWHERE, 0).into()).map_err(Error::io("binding to another address"))?;
            let mut stream = socket.connect(to).await.map_err(Error::io("connecting"))?;
            // A client that is refused counts as served.
            let _ = timeout(TAKEN, stream.write_all(&slow.sent(number))).await;
            held.push(stream);
        }
        sleep(SETTLED).await;
        Ok(held)
    })
}

//! A server with a manifest that is small at rest and large in transit, and how well it serves other clients, beside a server
//! that is left alone.

use std::time::{Duration, Instant};

use credlink_core::bounds::MAX_C2PA_MANIFEST_BYTES;
use credlink_core::testing::{data_box, store_of, superbox};
use tempfile::TempDir;

use crate::server::Server;

/// The most memory that the server may ever have, in kilobytes.
const MAX_KILOBYTES: u64 = 512_000;
/// The time that other clients may always wait at the 99th percentile.
const FLOOR: Duration = Duration::from_millis(400);
/// The time that they may wait at the most, when they wait at the quiet server too.
const CEILING: Duration = Duration::from_secs(3);
/// The factor by which they may wait longer than at the quiet server.
const RATIO: u32 = 3;
/// Requests of other clients in one measurement.
const OTHERS: usize = 200;
/// The number of them that may wait longer.
const LATE: usize = OTHERS / 100;
/// The number of measurements of which one must be good. Other tests take the processors for a moment, but a server that
/// keeps others waiting does so in each measurement.
const MEASUREMENTS: usize = 4;
/// The type of a JUMBF superbox that is a C2PA manifest: `c2ma`.
const MANIFEST_BOX: [u8; 16] =
    [b'c', b'2', b'm', b'a', 0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71];

/// A server and what it stores.
pub struct Ground {
    pub server: Server,
    /// The path of a manifest of ten megabytes, nearly all of them zeros.
    pub manifest: String,
    /// A server with which the tests do nothing.
    quiet: Server,
    _folder: TempDir,
}

impl Ground {
    pub fn new() -> Self {
        allow_files();
        let folder = tempfile::tempdir().unwrap();
        let server = Server::over(folder.path(), &[]);
        let id = "urn:c2pa:1f2d3c4b-0000-4000-8000-00000000d00e";
        let padding = data_box(*b"free", &vec![0; MAX_C2PA_MANIFEST_BYTES - 1_000]);
        let store = store_of(&[superbox(MANIFEST_BOX, id, &[padding])]);
        let (status, answer) = server.post_bytes("/v1/manifests", "application/c2pa", &store);
        assert_eq!(status, 201, "{answer}");
        let manifest = format!("/v1/manifests/{id}");
        assert!(server.get_bytes(&manifest).len() > MAX_C2PA_MANIFEST_BYTES - 2_000);
        Self { server, manifest, quiet: Server::start(), _folder: folder }
    }

    /// Stores this many manifests of nearly ten megabytes that do not compress, and returns their paths.
    pub fn store_large(&self, manifests: u32) -> Vec<String> {
        let one = |number: u32| {
            let id = format!("urn:c2pa:1f2d3c4b-0000-4000-8000-{number:012x}");
            let noise = noise(number, MAX_C2PA_MANIFEST_BYTES - 1_000);
            let store = store_of(&[superbox(MANIFEST_BOX, &id, &[data_box(*b"free", &noise)])]);
            let (status, answer) = self.server.post_bytes("/v1/manifests", "application/c2pa", &store);
            assert_eq!(status, 201, "{answer}");
            format!("/v1/manifests/{id}")
        };
        (1..=manifests).map(one).collect()
    }

    /// The address on which the server listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.server.url().trim_start_matches("http://").parse().unwrap()
    }

    /// The 99th percentiles of the time that other clients wait for a small answer, each on its own connection: at the server,
    /// and at the quiet one. They ask in turn, so whatever else the machine does is the same for both. All must be answered. The
    /// measurement ends when so many were late that nothing changes any more: the clients that are in the way do not stay long.
    fn others(&self) -> [Duration; 2] {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(20)));
        let agent: ureq::Agent = config.build().new_agent();
        let mut waited = [&self.server, &self.quiet].map(|server| (server, Vec::with_capacity(OTHERS)));
        for _ in 0..OTHERS {
            for (server, waited) in &mut waited {
                let began = Instant::now();
                let answer = agent.get(format!("{}/v1/health", server.url())).call();
                let status = answer.map(|answer| answer.status().as_u16());
                assert_eq!(status.ok(), Some(200), "others are answered, after {:?}", began.elapsed());
                waited.push(began.elapsed());
            }
            if but_for_few(&waited[0].1) > CEILING {
                break;
            }
        }
        waited.map(|(_, waited)| but_for_few(&waited))
    }

    /// Asserts that other clients are served as usual, and that the process has not used too much memory.
    #[track_caller]
    pub fn holds(&self, case: &str) {
        let waits: Vec<_> =
            (0..MEASUREMENTS).map(|_| self.others()).take_while(|waits| is_bad(*waits)).collect();
        self.is_small(case);
        assert!(waits.len() < MEASUREMENTS, "{case}: others wait, and at a quiet server: {waits:?}");
    }

    /// Asserts that other clients are answered, and that the process has not used too much memory. It sets no limit to
    /// their wait, because the server is at work for its clients and the wait for a processor depends on the machine.
    #[track_caller]
    pub fn holds_at_work(&self, case: &str) {
        self.others();
        self.is_small(case);
    }

    #[track_caller]
    fn is_small(&self, case: &str) {
        let most = self.kilobytes("VmHWM:");
        assert!(most < MAX_KILOBYTES, "{case}: it took {most} kB");
    }

    /// The value of a line of the system's status of the process.
    fn kilobytes(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap();
        let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Returns the longest of these waits but for the few that may be longer, which is the 99th percentile if there are `OTHERS`.
fn but_for_few(waits: &[Duration]) -> Duration {
    let mut waits = waits.to_vec();
    waits.sort_unstable_by(|one, other| other.cmp(one));
    waits.get(LATE).copied().unwrap_or_default()
}

/// Returns `true` if others wait too long at the server, compared with the quiet one.
fn is_bad([waited, quiet]: [Duration; 2]) -> bool {
    waited > (RATIO * quiet).clamp(FLOOR, CEILING)
}

/// Pseudo-random bytes, the same for the same seed (xorshift64, Marsaglia 2003).
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) ^ 0x9e37_79b9_7f4a_7c15;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Raises the limit of open files of this process, and of those that it starts, to the system's maximum.
fn allow_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

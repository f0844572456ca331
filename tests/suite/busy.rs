//! Requests whose bodies take long to read hold up no other caller.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use credlink_core::bounds::MAX_C2PA_MANIFEST_BYTES;
use credlink_core::testing::{data_box, store_of, superbox};

use crate::server::Server;

/// Callers that send the most expensive body possible, again and again.
const CALLERS: usize = 4;
/// Time limit for the whole test, which takes some seconds.
const IN_ALL: Duration = Duration::from_secs(120);
/// The longest that another caller may wait meanwhile.
const PATIENCE: Duration = Duration::from_millis(100);

/// The largest manifest store of which the most has to be read: a claim with ten million lists.
fn worst_store() -> Vec<u8> {
    let count = u32::try_from(MAX_C2PA_MANIFEST_BYTES - 1_000).unwrap();
    let claim = [&b"\x9a"[..], &count.to_be_bytes(), &vec![0x80; count as usize]].concat();
    let claim = superbox(
        *b"c2cl\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71",
        "c2pa.claim.v2",
        &[data_box(*b"cbor", &claim)],
    );
    store_of(&[superbox(
        *b"c2ma\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71",
        "urn:c2pa:worst",
        &[claim],
    )])
}

#[test]
fn callers_of_the_worst_bodies_make_nobody_wait() {
    let server = Server::start();
    let body = worst_store();
    let store = || server.post_bytes("/v1/manifests", "application/c2pa", &body).0;
    assert_eq!(store(), 201);
    let (is_over, stored) = (AtomicBool::new(false), AtomicUsize::new(0));
    let waits = std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) && store() == 200 {
                    stored.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut waits = Vec::new();
        // Until each caller has been answered, on average.
        let deadline = Instant::now() + IN_ALL;
        while (stored.load(Ordering::Relaxed) < CALLERS || waits.len() < 50) && Instant::now() < deadline {
            let begun = Instant::now();
            server.get_bytes("/v1/health");
            waits.push(begun.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, Ordering::Relaxed);
        waits
    });
    assert!(stored.into_inner() >= CALLERS, "the callers are answered");
    // Other tests share the processors with this one, so only nine of ten waits have to be within the limit.
    let mut sorted = waits;
    sorted.sort_unstable();
    let slow = sorted[sorted.len() * 9 / 10];
    assert!(slow < PATIENCE, "one of ten waits {slow:?} or longer, of {}", sorted.len());
}

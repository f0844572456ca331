//! Everything that can be done to one proof, by many clients in random order.

use bytes::Bytes;
use http::header::ETAG;
use http::{Method, Request};

use super::{store, supersede};
use crate::http::ask::{ask, get, media, proof_path};
use crate::world::{Ground, World};

const TASKS: u64 = 16;

/// A small random number generator (SplitMix64, Steele, Lea and Flood 2014), so that a task repeats its choices in
/// every run.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A random request for the proof, and the statuses that its answer may have.
fn some_request(choices: &mut Choices, name: &str, tag: &str) -> (Request<Bytes>, &'static [u16]) {
    let (media, path) = (media(name), proof_path(name));
    // There are few manifests, so that tasks compete for them as well.
    let (c2pa, number) = (choices.below(2) == 0, usize::try_from(choices.below(6)).unwrap());
    match choices.below(12) {
        0..4 => (store(&media, c2pa, number), &[200, 201, 409]),
        4..6 => (supersede(&path, &media, c2pa, number, "*"), &[200, 404, 409, 410]),
        6..8 => (supersede(&path, &media, c2pa, number, tag), &[200, 404, 409, 410, 412]),
        8 => (ask(Method::DELETE, &path), &[204, 409]),
        9 => (get(&format!("{path}/{}", number + 1)), &[200, 404, 410]),
        _ => (get(&path), &[200, 404, 410]),
    }
}

async fn a_mix(ground: Ground, operations: usize) {
    let world = World::on(ground);
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let world = world.clone();
        tasks.push(tokio::spawn(async move {
            let mut choices = Choices(task);
            let mut tag = "\"none\"".to_owned();
            let mut contended = 0;
            for _ in 0..operations {
                let (request, allowed) = some_request(&mut choices, "mixed", &tag);
                let place = format!("{} {}", request.method(), request.uri());
                let response = world.answer(request).await;
                let status = response.status().as_u16();
                let body = String::from_utf8_lossy(response.body());
                assert!(allowed.contains(&status), "{place}: {status} {body}");
                if status == 409 {
                    // The only reasons to refuse are the bound on revisions, and too many lost races in a row.
                    let known = body.contains("too-many-revisions") || body.contains("contended");
                    assert!(known, "{place}: {body}");
                    contended += usize::from(body.contains("contended"));
                }
                if let Some(current) = response.headers().get(ETAG) {
                    tag = current.to_str().unwrap().to_owned();
                }
            }
            contended
        }));
    }
    let mut contended = 0;
    for task in tasks {
        contended += task.await.unwrap();
    }
    let all = operations * usize::try_from(TASKS).unwrap();
    assert!(contended * 100 < all, "{contended} of {all} operations lost too many races in a row");
    world.assert_tidy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_mix_of_operations_breaks_a_guarantee_in_memory() {
    a_mix(Ground::Memory, 400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_mix_of_operations_breaks_a_guarantee_in_a_folder() {
    a_mix(Ground::Folder, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_mix_of_operations_breaks_a_guarantee_on_dynamodb() {
    a_mix(Ground::Dynamo, 20).await;
}

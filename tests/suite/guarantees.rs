//! One test for each guarantee of the design, by its number. Each is short, and would detect the loss of its guarantee;
//! the exhaustive searches are in `faults`, `races` and `crash`.

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_auth::tokens::Trusted;
use credlink_cache::NoCache;
use credlink_core::bounds::{
    MAX_BATCH, MAX_BODY_BYTES, MAX_JSON_DEPTH, MAX_JSON_MANIFEST_BYTES, MAX_JUMBF_DEPTH,
    MAX_MANIFEST_ID_BYTES, MAX_TARGET_BYTES,
};
use credlink_core::object::ObjectKey;
use credlink_core::testing::{manifest_store, store_of, superbox};
use credlink_core::time::Timestamp;
use credlink_deployment::local::open;
use credlink_disk::folder::Folder;
use credlink_metrics::counters::Counters;
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::faults::{FaultPlan, Faulty, Flavour};
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{Condition, Medium, Objects as _, Parts, Ports, Put, Replicas};
use credlink_service::fsck::{Severity, fsck};
use credlink_service::{Service, ServiceSettings};
use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, IF_MATCH};
use http::{HeaderMap, Method, Request, Response};
use serde_json::{Value, json};

use crate::http::ask::{self, ask, get, media, proof, proof_path, text, with};
use crate::world::{Ground, World};

const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
const MANIFEST_PATH: &str = "/v1/manifests/urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

fn settings() -> ServiceSettings {
    ServiceSettings {
        public_url: "http://127.0.0.1".to_owned(),
        count_reads: true,
        notice_on_read: true,
        ..ServiceSettings::default()
    }
}

/// A service over these adapters, with no cache.
fn service<O: Replicas + Medium>(objects: O, index: MemoryIndex) -> Service<impl Ports<Objects = O>> {
    let clock = ManualClock::at(Timestamp::from_milliseconds(1_800_000_000_000));
    let events = Counters::default();
    Service::new(
        Parts { objects, index, cache: NoCache, clock, events, authenticator: Trusted, jobs: NoJobs },
        settings(),
    )
    .unguarded()
}

async fn answer<P: Ports>(service: &Service<P>, request: Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    service.handle(&parts, async { Ok(body) }).await
}

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// A store of a JSON manifest.
fn store(name: &str, manifest: &str) -> Request<Bytes> {
    text(Method::POST, "/v1/proofs", &format!(r#"{{"media_hash":"{}","manifest":{manifest}}}"#, media(name)))
}

/// A store of the C2PA manifest [`ID`].
fn store_c2pa(name: &str) -> Request<Bytes> {
    let manifest = BASE64.encode(&manifest_store(ID, media(name).digest()));
    ask::json(
        Method::POST,
        "/v1/proofs",
        &json!({"media_hash": media(name).to_string(), "manifest_base64": manifest}),
    )
}

/// 1. A live index row never points at nothing, whichever write of a store fails, and in whichever way.
#[tokio::test]
async fn guarantee_1_a_live_row_never_points_at_nothing() {
    for flavour in [Flavour::Lost, Flavour::Kept] {
        for write in 1..=2 {
            let (objects, index) = (MemoryObjects::new(), MemoryIndex::new());
            let failing = service(Faulty::new(objects.clone(), FaultPlan::at(write, flavour)), index.clone());
            assert_eq!(answer(&failing, store_c2pa("a")).await.status(), 503);
            let listed = answer(&failing, get("/v1/proofs")).await;
            assert_eq!(body(&listed)["proofs"], json!([]), "write {write} {flavour:?}");
            let mut broken = Vec::new();
            let after = service(objects, index);
            fsck(&after, |finding| broken.push(finding)).await.unwrap();
            broken.retain(|finding| finding.severity == Severity::Broken);
            assert!(broken.is_empty(), "write {write} {flavour:?}: {broken:?}");
        }
    }
}

/// 2. One image, one proof: fifty concurrent stores all get the same ID, and exactly one of them is told that it is
///    new.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guarantee_2_one_image_has_one_proof() {
    let world = World::on(Ground::Memory);
    let stores: Vec<_> = (0..50)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move { world.answer(store("a", &format!(r#"{{"n":{n}}}"#))).await })
        })
        .collect();
    let mut created = 0;
    for store in stores {
        let answer = store.await.unwrap();
        assert_eq!(body(&answer)["id"], proof("a").to_string());
        created += u32::from(answer.status() == 201);
    }
    assert_eq!((created, world.totals().await.proofs), (1, 1));
}

/// 3. Nothing is dropped silently: a caller is told that another manifest for a known file is not kept. One that is to
///    replace the first needs its tag, and leaves it readable.
#[tokio::test]
async fn guarantee_3_nothing_is_dropped_in_silence() {
    let world = World::on(Ground::Memory);
    let first = world.answer(store("a", r#"{"n":1}"#)).await;
    let second = world.answer(store("a", r#"{"n":2}"#)).await;
    assert_eq!((&body(&second)["deduplicated"], &body(&second)["identical"]), (&json!(true), &json!(false)));
    let path = proof_path("a");
    let replace = || text(Method::PUT, &path, r#"{"manifest":{"n":2}}"#);
    assert_eq!(world.answer(replace()).await.status(), 428);
    assert_eq!(world.answer(with(replace(), IF_MATCH, "\"another\"")).await.status(), 412);
    let tag = first.headers()["etag"].as_bytes();
    assert_eq!(world.answer(with(replace(), IF_MATCH, tag)).await.status(), 200);
    assert_eq!(body(&world.answer(get(&path)).await)["manifest"]["json"], json!({"n": 2}));
    let earlier = world.answer(get(&format!("{path}/1"))).await;
    assert_eq!(body(&earlier)["manifest"]["json"], json!({"n": 1}));
}

/// 4. Bytes are exact: a JSON manifest keeps its spaces, and a stored file in which any byte has changed is not served.
#[tokio::test]
async fn guarantee_4_bytes_are_exact_or_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(Folder::open(folder.path()).unwrap(), MemoryIndex::new());
    let manifest = r#"{ "a" : 1.0, "b":"\u00e9" }"#;
    assert_eq!(answer(&service, store("a", manifest)).await.status(), 201);
    assert_eq!(answer(&service, store_c2pa("b")).await.status(), 201);
    let record = answer(&service, get(&proof_path("a"))).await;
    assert!(String::from_utf8_lossy(record.body()).contains(manifest));
    let served = answer(&service, get(MANIFEST_PATH)).await;
    assert_eq!(*served.body(), manifest_store(ID, media("b").digest()));
    let mut flipped = 0;
    for path in [proof_path("a"), proof_path("b"), MANIFEST_PATH.to_owned()] {
        let id = path.rsplit('/').next().unwrap().replace(':', "=");
        let file = find(folder.path(), &id);
        let stored = std::fs::read(&file).unwrap();
        for at in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 0x01;
            std::fs::write(&file, damaged).unwrap();
            let response = answer(&service, get(&path)).await;
            assert_eq!(response.status(), 502, "{path}, byte {at}");
            assert_eq!(body(&response)["type"], "urn:credlink:problem:damaged", "{path}, byte {at}");
            flipped += 1;
        }
        std::fs::write(&file, stored).unwrap();
        assert_eq!(answer(&service, get(&path)).await.status(), 200);
    }
    assert!(flipped > 1_000, "{flipped} bytes are too few to be three objects");
}

/// The path of the file of this name, somewhere below `folder`.
fn find(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|file| file == name) {
                return path;
            }
        }
    }
    panic!("{name} is not there");
}

/// 5. Acknowledged means durable: whatever one process acknowledged, the next one has. `crash` kills the process.
#[tokio::test]
async fn guarantee_5_acknowledged_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = || Gate::Trusted(Trusted);
    let service = open(folder.path(), credentials(), settings()).unwrap();
    let stored = answer(&service, store("a", r#"{"n":1}"#)).await;
    assert_eq!(answer(&service, store_c2pa("b")).await.status(), 201);
    drop(service);
    let service = open(folder.path(), credentials(), settings()).unwrap();
    let found = answer(&service, get(&proof_path("a"))).await;
    assert_eq!(found.headers()["etag"], stored.headers()["etag"]);
    assert_eq!(answer(&service, get(MANIFEST_PATH)).await.status(), 200);
    assert_eq!(body(&answer(&service, get("/v1/proofs")).await)["proofs"].as_array().unwrap().len(), 2);
}

/// 6. The same manifest ID never has two contents, not even one after the other.
#[tokio::test]
async fn guarantee_6_a_manifest_id_has_one_content_for_ever() {
    let world = World::on(Ground::Memory);
    let post = |bytes: Vec<u8>| ask::c2pa(Method::POST, "/v1/manifests", bytes);
    let (one, other) = (manifest_store(ID, media("a").digest()), manifest_store(ID, media("b").digest()));
    assert_eq!(world.answer(post(one.clone())).await.status(), 201);
    assert_eq!(world.answer(post(other.clone())).await.status(), 409);
    assert_eq!(world.answer(store_c2pa("b")).await.status(), 409);
    assert_eq!(world.answer(ask(Method::DELETE, MANIFEST_PATH)).await.status(), 204);
    assert_eq!(world.answer(post(other)).await.status(), 409);
    assert_eq!(world.answer(post(one.clone())).await.status(), 201);
    assert_eq!(*world.answer(get(MANIFEST_PATH)).await.body(), one);
}

/// 7. Absence is not failure: the same request gets different answers if nothing is stored, and if that is unknown.
#[tokio::test]
async fn guarantee_7_absence_is_not_failure() {
    let requests = || {
        [
            (get(&proof_path("a")), 404),
            (get(&format!("{}/1", proof_path("a"))), 404),
            (get(&format!("/v1/proofs?media_hash={}", media("a"))), 404),
            (get(MANIFEST_PATH), 404),
            (ask(Method::DELETE, &proof_path("a")), 204),
            (ask(Method::DELETE, MANIFEST_PATH), 204),
        ]
    };
    for (request, absent) in requests() {
        let nothing = service(MemoryObjects::new(), MemoryIndex::new());
        assert_eq!(answer(&nothing, request).await.status(), absent);
    }
    for (request, _) in requests() {
        let what = format!("{} {}", request.method(), request.uri());
        let objects = Faulty::new(MemoryObjects::new(), FaultPlan::reads_from(1));
        let failure = answer(&service(objects, MemoryIndex::new()), request).await;
        assert_eq!(failure.status(), 503, "{what}");
        assert!(failure.headers().contains_key("retry-after"), "{what}");
    }
}

/// 8. Deleted stays deleted: on every path to the proof, behind a cache that has seen it, and when a copy arrives late.
#[tokio::test]
async fn guarantee_8_deleted_stays_deleted() {
    let (objects, index) = (MemoryObjects::new(), MemoryIndex::new());
    let writer = service(objects.clone(), index);
    answer(&writer, store_c2pa("a")).await;
    let (record, manifest) = (ObjectKey::Record(proof("a")), ObjectKey::Manifest(ID.parse().unwrap()));
    let (path, by_hash) = (proof_path("a"), format!("/v1/proofs/by-hash/{}", media("a").digest()));
    let copies = [(&record, objects.get(&record).await), (&manifest, objects.get(&manifest).await)];
    let earlier = format!("{path}/1");
    let paths = [&path, &by_hash, &earlier, MANIFEST_PATH];
    assert_eq!(answer(&writer, ask(Method::DELETE, &path)).await.status(), 204);
    for (key, copy) in copies {
        let copy = copy.unwrap().unwrap();
        let late = objects.put(key, copy.body, &copy.head.attributes, Condition::Absent).await.unwrap();
        assert_eq!(late, Put::Lost, "{key}: a late copy takes the place of what was deleted");
    }
    for path in paths {
        assert_eq!(answer(&writer, get(path)).await.status(), 410, "{path}");
    }
    // The same behind a cache that has seen each object, deletion by deletion.
    let world = World::on(Ground::Memory);
    world.answer(store_c2pa("a")).await;
    let replacement = text(Method::PUT, &path, r#"{"manifest":{}}"#);
    world.answer(with(replacement, IF_MATCH, "*")).await;
    for path in paths {
        assert_eq!(world.answer(get(path)).await.status(), 200, "{path}");
    }
    world.answer(ask(Method::DELETE, &path)).await;
    for path in paths {
        assert_eq!(world.answer(get(path)).await.status(), 410, "{path}");
    }
    world.answer(store("a", "{}")).await;
    assert_eq!(world.answer(get(&earlier)).await.status(), 404, "its second life has no part of the first");
    assert_eq!(world.answer(get(MANIFEST_PATH)).await.status(), 410);
}

/// 9. Every parser has a bound: one more than the bound is refused with an explanation before anything is stored.
#[tokio::test]
async fn guarantee_9_every_parser_has_a_bound() {
    let world = World::on(Ground::Memory);
    let post = |bytes: Vec<u8>| ask::c2pa(Method::POST, "/v1/manifests", bytes);
    let deep = |levels| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let boxes = (0..MAX_JUMBF_DEPTH).fold(Vec::new(), |inner, _| superbox([0; 16], "x", &[inner]));
    let label = format!("urn:{}", "x".repeat(MAX_MANIFEST_ID_BYTES));
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), MAX_BODY_BYTES as u64 + 1), &mut bomb)
        .unwrap();
    let bomb = text(Method::POST, "/v1/proofs", "").map(|_| Bytes::from(bomb.finish().unwrap()));
    let ids = vec![r#""x""#; MAX_BATCH + 1].join(",");
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_JSON_MANIFEST_BYTES));
    let headers: HeaderMap = [(IF_MATCH, "\"x\",".repeat(101).parse().unwrap())].into_iter().collect();
    let mut many_tags = get(&proof_path("a"));
    *many_tags.headers_mut() = headers;
    for (request, status) in [
        (store("a", &deep(MAX_JSON_DEPTH + 1)), 400),
        (store("a", &long), 413),
        (with(bomb, CONTENT_ENCODING, "gzip"), 413),
        (post(store_of(&[boxes])), 400),
        (
            post(store_of(&[superbox(
                *b"c2ma\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71",
                &label,
                &[],
            )])),
            400,
        ),
        (post(vec![b'x'; MAX_BODY_BYTES + 1]), 413),
        (text(Method::POST, "/v1/proofs/batch-delete", &format!(r#"{{"ids":[{ids}]}}"#)), 400),
        (get(&format!("/v1/proofs?after={}", "x".repeat(MAX_TARGET_BYTES))), 414),
    ] {
        let what = format!("{} {:.60}", request.method(), request.uri());
        let response = world.answer(request).await;
        assert_eq!(response.status(), status, "{what}: {:?}", response.body());
    }
    assert_eq!(world.answer(store("a", &deep(MAX_JSON_DEPTH))).await.status(), 201);
    assert_eq!(world.answer(many_tags).await.status(), 400, "more entity tags than the bound");
    assert_eq!(world.totals().await.proofs, 1);
}

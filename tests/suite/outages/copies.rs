//! One copy is damaged or missing, and the reports to operators about two providers.

use bytes::Bytes;
use credlink_core::message::{Message, Work};
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::replica::Replica;
use credlink_ports::{Condition, Objects, Put, Queue as _, Replicas as _};
use http::{Method, Request};
use serde_json::{Value, json};

use super::load::{Manifest, expect, manifest, proof, reads, reads_manifest, store, supersede};
use super::site::{Process, Site, with_stack};
use crate::engines::proxy::Fault;
use crate::engines::unique;

fn key(path: &str) -> ObjectKey {
    let path = path.trim_start_matches("/v1/");
    path.replace(':', "%3A").parse().unwrap()
}

/// Flips one bit of an object, and leaves its attributes.
async fn damage(provider: &impl Objects, key: &ObjectKey) {
    let object = provider.get(key).await.unwrap().unwrap();
    let mut body = object.body.to_vec();
    body[0] ^= 1;
    let condition = Condition::Matches(object.head.tag.clone());
    let put = provider.put(key, Bytes::from(body), &object.head.attributes, condition).await.unwrap();
    assert!(matches!(put, Put::Stored(_)));
}

#[test]
fn what_is_damaged_at_one_provider_is_read_from_the_other_and_repaired() {
    with_stack(async || {
        let site = Site::new().await;
        let file = unique("a");
        let c2pa = Manifest::C2pa(file.clone());
        let first = site.process().await;
        expect(&first.send(store(&file, &c2pa)).await, &[201], "before");
        for path in [proof(&file), manifest(&file)] {
            damage(first.pair().primary(), &key(&path)).await;
        }
        let process = site.process().await;
        reads(&process, &file, &c2pa, "damaged").await;
        reads_manifest(&process, &file, "damaged").await;
        assert_eq!(process.depth().await, 2, "a repair of each");
        site.repair("damaged").await;
        site.check_whole("damaged").await;
        // A use case that depends on what it reads.
        damage(first.pair().primary(), &key(&proof(&file))).await;
        let process = site.process().await;
        let tag = reads(&process, &file, &c2pa, "damaged again").await;
        let second = Manifest::Json("second".to_owned());
        expect(&process.send(supersede(&file, &second, &tag)).await, &[200], "damaged again");
        reads(&site.process().await, &file, &second, "damaged again").await;
        site.repair("damaged again").await;
        site.check_whole("damaged again").await;
        // Damaged at both providers, so that there is no content at all.
        damage(first.pair().primary(), &key(&proof(&file))).await;
        damage(first.pair().fallback(), &key(&proof(&file))).await;
        expect(&site.process().await.get(&proof(&file)).await, &[502], "damaged at both");
    });
}

/// The only message in the queue.
async fn message(process: &Process) -> Message {
    let mut found = process.0.waiting().receive(10, 1).await.unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0).text.parse().unwrap()
}

#[test]
fn what_is_confirmed_is_at_both_or_in_the_queue() {
    with_stack(async || {
        for (missing, to) in [(Replica::Primary, "primary"), (Replica::Fallback, "fallback")] {
            let site = Site::new().await;
            let (process, file) = (site.process().await, unique("a"));
            expect(&process.send(store(&file, &Manifest::Json("a".to_owned()))).await, &[201], to);
            let key = key(&proof(&file));
            let head = process.0.store().head(&key).await.unwrap().unwrap();
            let facts = Facts::read(&head.attributes).unwrap();
            process.0.store().confirm(&key, &facts).await.unwrap();
            assert_eq!(process.depth().await, 0, "{to}: it is at both");
            let pair = process.pair();
            match missing {
                Replica::Primary => pair.primary().delete(&key).await.unwrap(),
                Replica::Fallback => pair.fallback().delete(&key).await.unwrap(),
            }
            process.0.store().confirm(&key, &facts).await.unwrap();
            // The fallback may lack an object. A caller that reads the primary first might then find a rival's object
            // there.
            match message(&process).await.work {
                Work::Replicate { to, keys, mark } => {
                    assert_eq!((to, keys, mark.is_some()), (missing, vec![key], missing == Replica::Primary));
                }
                work => panic!("{work:?}"),
            }
            site.repair(to).await;
            site.check_whole(to).await;
        }
    });
}

#[test]
fn a_repair_names_the_request_that_it_comes_from() {
    with_stack(async || {
        let site = Site::new().await;
        let process = site.process().await;
        // A new store gets its mark while both providers answer.
        assert!(process.0.service().standing().await.doubts.is_empty());
        site.r2.set(Fault::Refuse);
        let mut request = store(&unique("a"), &Manifest::Json("a".to_owned()));
        request.headers_mut().insert("x-request-id", "the-request-itself".parse().unwrap());
        expect(&process.send(request).await, &[201], "without R2");
        assert_eq!(message(&process).await.request_id, "the-request-itself");
    });
}

#[test]
fn health_tells_the_providers_apart() {
    with_stack(async || {
        let site = Site::new().await;
        let (process, file) = (site.process().await, unique("a"));
        expect(&process.send(store(&file, &Manifest::Json("a".to_owned()))).await, &[201], "before");
        let health = async || {
            let answer = process.get("/v1/health").await;
            serde_json::from_slice::<Value>(answer.body()).unwrap()
        };
        let states = |health: &Value| {
            let providers = health["providers"].as_array().unwrap().iter();
            let state = |provider: &Value| json!([provider["name"], provider["role"], provider["status"]]);
            json!([health["status"], providers.map(state).collect::<Vec<_>>()])
        };
        let expected = |status: &str, primary: &str| {
            let providers =
                [["s3", "primary", primary], ["r2", "fallback", "ok"], ["dynamodb", "index", "ok"]];
            json!([status, providers])
        };
        assert_eq!(states(&health().await), expected("ok", "ok"));
        site.s3.set(Fault::Refuse);
        let request = Request::builder().method(Method::DELETE).uri(proof(&file)).body(Bytes::new());
        expect(&process.send(request.unwrap()).await, &[204], "without S3");
        let mut told = health().await;
        for _ in 0..10 {
            // Each request tries the primary, until its circuit breaker is open.
            told = health().await;
        }
        assert_eq!(states(&told), expected("degraded", "down"));
        let problem = told["providers"][0]["problem"].as_str().unwrap();
        assert!(problem.starts_with("not asked for"), "{problem}");
    });
}

//! The whole index rebuilt from nothing, over the adapters that enforce their contracts.

use credlink_auth::gate::Gate;
use credlink_cache::NoCache;
use credlink_core::object::ObjectKey;
use credlink_metrics::counters::Counters;
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{Clock as _, Condition, Index, Medium, Objects as _, Parts, Ports, Put, Replicas};
use credlink_service::cleanup::{Limits, cleanup};
use credlink_service::rebuild::report::{Finding, Report};
use credlink_service::rebuild::{Manner, Rebuild};
use credlink_service::{Service, ServiceSettings};

use super::full::{Client, fill, others, rows, urn};
use crate::http::ask::proof;
use crate::world::tokens;
use crate::world::tokens::{OWNER, STRANGER};

/// The instant at which everything happens.
pub fn clock() -> ManualClock {
    ManualClock::at("2026-01-01T12:00:00.250Z".parse().unwrap())
}

/// A service over these adapters, with its guard.
pub fn over<O: Replicas + Medium, I: Index>(
    objects: O,
    index: I,
    clock: ManualClock,
) -> Service<impl Ports<Objects = O, Index = I>> {
    let settings = ServiceSettings {
        public_url: "http://127.0.0.1".to_owned(),
        link_keys: None,
        count_reads: false,
        notice_on_read: false,
        has_tenants: true,
    };
    let authenticator = Gate::of(Some(tokens::all()), None);
    let events = Counters::default();
    Service::new(
        Parts { objects, index, cache: NoCache, clock, events, authenticator, jobs: NoJobs },
        settings,
    )
}

/// Rebuilds to the end, and returns the findings and the report.
pub async fn rebuild<P: Ports>(service: &Service<P>, manner: Manner) -> (Vec<Finding>, Report) {
    let mut found = Vec::new();
    let mut rebuild = Rebuild::begin(service, manner).await.unwrap();
    while rebuild.step(service, |finding| found.push(finding)).await.unwrap() {}
    rebuild.finish(service, true).await.unwrap();
    (found, rebuild.report().clone())
}

#[tokio::test]
async fn an_index_that_is_lost_comes_back_row_by_row() {
    let (objects, index, clock) = (MemoryObjects::with_clock(clock()), MemoryIndex::new(), clock());
    let service = over(objects.clone(), index.clone(), clock.clone());
    fill(&service).await;
    service.tick().await.unwrap();
    let (before, totals) = (rows(&index).await, index.totals().await.unwrap());
    assert!(before.len() > 30, "{}", before.len());

    let anew = MemoryIndex::new();
    let service = over(objects.clone(), anew.clone(), clock.clone());
    assert!(service.standing().await.has("index_new"), "a new index over objects is doubted");
    let (found, report) = rebuild(&service, Manner::Counting).await;
    assert_eq!((found, report.joined), (vec![], false));
    assert_eq!(rows(&anew).await, [], "counting writes nothing");

    let (found, report) = rebuild(&service, Manner::Writing).await;
    assert_eq!(found, []);
    assert!(report.joined && report.made as usize == before.len(), "{report:?}");
    similar(&before, &rows(&anew).await);
    assert_eq!(anew.totals().await.unwrap(), totals);
    assert_eq!(service.standing().await.doubts, []);

    // Correct rows stay as they are, including their versions.
    let (found, again) = rebuild(&service, Manner::Writing).await;
    assert_eq!((found, again.made, again.changed, again.joined), (vec![], 0, 0, true));
    let client = Client(&service);
    client.store("after", serde_json::json!({}), 201).await;
    client.delete("plain").await;
    let legacy = crate::http::ask::get("/v1/proofs/old-2");
    assert_eq!(client.send(legacy, OWNER).await.status(), 308, "it leads to its proof");
    // The owner of a legacy ID is known again as well: if its proof is deleted, if it was withdrawn, and if it was
    // transferred to the other tenant.
    for id in ["old-1", "lapsed-1", "taken-1"] {
        client.bind_as(STRANGER, id, serde_json::json!({"proof": others("shared").to_string()}), 409).await;
    }
    client.bind("given-1", "given", 409).await;
}

/// Compares rows one by one, so that a failure names the first that differs.
pub fn similar<K: PartialEq + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    wanted: &[(K, V)],
    found: &[(K, V)],
) {
    for (wanted, found) in wanted.iter().zip(found) {
        assert_eq!(wanted, found);
    }
    let keys = |rows: &[(K, V)]| rows.iter().map(|(key, _)| format!("{key:?}")).collect::<Vec<_>>();
    assert_eq!(keys(wanted), keys(found));
}

/// An object that was copied to the key of another is reported, and does no harm.
#[tokio::test]
async fn an_object_in_the_place_of_another_is_not_read() {
    let (objects, index, clock) = (MemoryObjects::with_clock(clock()), MemoryIndex::new(), clock());
    let service = over(objects.clone(), index.clone(), clock.clone());
    fill(&service).await;
    service.tick().await.unwrap();
    let before = rows(&index).await;
    let alias = |name: &str| ObjectKey::Alias(name.parse().unwrap());
    let hold = |name: &str| ObjectKey::Hold(urn(name).parse().unwrap(), 0);
    let misplaced = [
        (ObjectKey::Record(proof("plain")), ObjectKey::Record(proof("elsewhere"))),
        (alias("old-2"), alias("elsewhere")),
        (hold("alone"), hold("signed")),
    ];
    for (from, to) in &misplaced {
        let object = objects.get(from).await.unwrap().unwrap();
        let put = objects.put(to, object.body, &object.head.attributes, Condition::Absent).await.unwrap();
        assert!(matches!(put, Put::Stored(_)), "{to}");
    }
    let service = over(objects, MemoryIndex::new(), clock);
    let (found, report) = rebuild(&service, Manner::Writing).await;
    let mut named: Vec<_> = found.iter().map(|finding| finding.key.clone()).collect();
    named.sort();
    let mut wanted: Vec<_> = misplaced.iter().map(|(_, to)| to.to_string()).collect();
    wanted.sort();
    assert_eq!(named, wanted, "{found:?}");
    assert!(found.iter().all(|finding| finding.what.contains("its key holds")), "{found:?}");
    assert!(!report.joined && report.unread == 3, "{report:?}");
    similar(&before, &rows(service.ports().index()).await);
}

/// An index that was restored to an instant within a rebuild knows where the rebuild was. Objects stored since are not
/// skipped.
#[tokio::test]
async fn a_rebuild_is_begun_anew_where_the_store_went_on_without_it() {
    let (objects, index, clock) = (MemoryObjects::with_clock(clock()), MemoryIndex::new(), clock());
    let service = over(objects.clone(), index.clone(), clock.clone());
    fill(&service).await;
    service.tick().await.unwrap();
    let anew = MemoryIndex::new();
    let service = over(objects, anew.clone(), clock);
    let mut begun = Rebuild::begin(&service, Manner::Writing).await.unwrap();
    begun.step(&service, |finding| panic!("{finding:?}")).await.unwrap();
    let kept = Rebuild::read(&begun.text()).unwrap();
    assert!(kept.can_go_on(&service).await.unwrap());
    rebuild(&service, Manner::Writing).await;
    assert!(!kept.can_go_on(&service).await.unwrap(), "index and store belonged together since");
}

/// The last instant seen survives the loss of the index.
#[tokio::test]
async fn an_index_that_is_made_anew_by_a_clock_that_is_ahead_destroys_nothing() {
    let (objects, index, clock) = (MemoryObjects::with_clock(clock()), MemoryIndex::new(), clock());
    let service = over(objects.clone(), index, clock.clone());
    fill(&service).await;
    service.tick().await.unwrap();
    clock.advance_seconds(400 * 86_400);
    let service = over(objects.clone(), MemoryIndex::new(), clock.clone());
    let (found, report) = rebuild(&service, Manner::Writing).await;
    assert!(found.is_empty() && report.joined, "{found:?} {report:?}");
    assert!(service.standing().await.has("clock"));
    let before = objects.list("", None, 1_000).await.unwrap().items;
    let limits = Limits { any_age: true, ..Limits::until(clock.now().plus_seconds(1_000)) };
    let report = cleanup(&service, limits, None).await.unwrap();
    assert!(report.stopped.is_some() && report.deleted == 0, "{report:?}");
    assert_eq!(objects.list("", None, 1_000).await.unwrap().items, before);
}

/// A manifest of an earlier record that was missing during the rebuild is held again once it is back.
#[tokio::test]
async fn the_manifest_of_an_earlier_record_is_held_again() {
    let (objects, index, clock) = (MemoryObjects::with_clock(clock()), MemoryIndex::new(), clock());
    let service = over(objects.clone(), index, clock.clone());
    fill(&service).await;
    service.tick().await.unwrap();
    let key = ObjectKey::Manifest(urn("resigned-1").parse().unwrap());
    let kept = objects.get(&key).await.unwrap().unwrap();
    objects.delete(&key).await.unwrap();
    let anew = MemoryIndex::new();
    let service = over(objects.clone(), anew.clone(), clock.clone());
    let (found, report) = rebuild(&service, Manner::Writing).await;
    assert_eq!(report.lost, 1, "{found:?}");
    assert!(found[0].what.contains("which is not stored"), "{found:?}");
    let put = objects.put(&key, kept.body, &kept.head.attributes, Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Stored(_)));
    let (found, report) = rebuild(&service, Manner::Writing).await;
    assert_eq!((found, report.leftovers), (vec![], 0));
    let limits = Limits { any_age: true, ..Limits::until(clock.now().plus_seconds(1_000)) };
    cleanup(&service, limits, None).await.unwrap();
    assert!(objects.get(&key).await.unwrap().is_some());
    let mut found = Vec::new();
    credlink_service::fsck::fsck(&service, |finding| found.push(finding)).await.unwrap();
    assert_eq!(found, []);
}

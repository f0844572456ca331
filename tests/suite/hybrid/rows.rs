//! Without a catalogue in memory, rows of the index locate the records.

use credlink_auth::tokens::Trusted;
use credlink_cache::NoCache;
use credlink_core::row::{LegacyItemRow, Row};
use credlink_metrics::counters::Counters;
use credlink_ports::doubles::faults::{FaultPlan, Faulty};
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{Commit, Index, Parts, Write};
use credlink_runtime::clock::SystemClock;

use super::*;

async fn keep(index: &impl Index, name: &str, item: &str) {
    let row = Row::LegacyItem(LegacyItemRow { proof: proof(name), version: 1, item: item.to_owned() });
    assert_eq!(index.commit(&[Write { row, expected: None }]).await.unwrap(), Commit::Done);
}

/// A row locates a record of any name, and an outdated row does no harm.
#[tokio::test]
async fn the_index_says_where_a_record_is() {
    let (any, own) = (legacy("a", "p-1"), legacy("b", "p-2"));
    let own_path = format!("{}.json", proof("b"));
    let broken = ("broken.json", "{".to_owned());
    let records = [("2019/1.json", any.clone()), (own_path.as_str(), own.clone()), broken];
    let ground = Ground::with(&records, &[], false);
    assert_eq!(ground.send(get(&by_hash("a"))).await.status(), 404);
    for (name, item) in [
        ("a", "2019/1.json"),
        ("b", "broken.json"),
        ("c", "gone.json"),
        ("d", "2019/1.json"),
        ("e", "broken.json"),
    ] {
        keep(&ground.service.ports().index, name, item).await;
    }
    assert_eq!(ground.send(get(&by_hash("a"))).await.body(), &migrated(&any));
    assert_eq!(ground.send(get(&by_hash("b"))).await.body(), &migrated(&own), "by its name");
    for (name, status) in [("c", 404), ("d", 404), ("e", 502)] {
        assert_eq!(ground.send(get(&by_hash(name))).await.status(), status, "{name}");
    }
    ground.assert_whole().await;
    assert_eq!(ground.import().await, Report { imported: 2, failed: 0 });
    assert_eq!(ground.send(get(&by_hash("a"))).await.body(), &migrated(&any));
    ground.assert_whole().await;

    // This also holds with the cloud storage off: a store finds the existing record, and no second record is written.
    let Ground { data, records, service, source } = ground;
    drop((service, source));
    let ground = Ground::opened(data, records, OFF, false);
    assert_eq!(ground.send(get(&by_hash("a"))).await.body(), &migrated(&any));
    let again = json!({"media_hash": media("a").to_string(), "manifest": {"of": "another"}});
    let again = ground.send(request(Method::POST, "/v1/proofs", &again)).await;
    assert_eq!((again.status().as_u16(), &body(&again)["identical"]), (200, &json!(false)));
    assert!(!ground.records.path().join(format!("{}.json", proof("a"))).exists());
}

/// A legacy ID redirects to a proof ID only if the index leads on from there to this very record.
#[tokio::test]
async fn a_legacy_id_redirects_where_the_row_of_its_proof_leads_back() {
    let (one, two) = (legacy("a", "p-1"), legacy("b", "p-2"));
    let records = [("p-1.json", one.clone()), ("p-2.json", two.clone()), ("again.json", two.clone())];
    let ground = Ground::with(&records, &[], false);
    let index = &ground.service.ports().index;
    assert_eq!(ground.send(get("/v1/proofs/p-1")).await.body(), &migrated(&one), "no row");
    keep(index, "a", "p-1.json").await;
    keep(index, "b", "again.json").await;
    let led = ground.send(get("/v1/proofs/p-1")).await;
    let to = led.headers()[LOCATION].to_str().unwrap();
    assert_eq!((led.status().as_u16(), to), (308, &*proof("a").to_string()));
    assert_eq!(ground.send(get("/v1/proofs/p-2")).await.body(), &migrated(&two), "the row of another item");
}

/// Guarantee 7: if the index does not answer, a record that is not found under its name may exist all the same.
#[tokio::test]
async fn an_index_out_of_reach_is_no_absence() {
    let records = tempfile::tempdir().unwrap();
    let text = legacy("a", &proof("a").to_string());
    std::fs::write(records.path().join(format!("{}.json", proof("a"))), &text).unwrap();
    std::fs::write(records.path().join("1.json"), legacy("b", "p-2")).unwrap();
    let index = MemoryIndex::new();
    keep(&index, "b", "1.json").await;
    for switch in ["on", "off"] {
        let settings =
            settings(&format!("dir:{}", records.path().display()), &[("CREDLINK_CLOUD_STORAGE", switch)]);
        let source = Hybrid::new(settings.open(&plain_config(http_client()), false).unwrap());
        let parts = Parts {
            objects: MemoryObjects::new(),
            index: Faulty::new(index.clone(), FaultPlan::reads_from(1)),
            cache: NoCache,
            clock: SystemClock,
            events: Counters::default(),
            authenticator: Trusted,
            jobs: NoJobs,
        };
        let settings =
            ServiceSettings { public_url: "http://127.0.0.1".to_owned(), ..ServiceSettings::default() };
        let service = Service::new(parts, settings).unguarded();
        let ask = async |request: Request<Bytes>| {
            let (parts, body) = request.into_parts();
            service.handle_by(&source, &parts, async { Ok(body) }).await
        };
        assert_eq!(ask(get(&by_hash("a"))).await.body(), &migrated(&text), "{switch}");
        for name in ["b", "c"] {
            assert_eq!(ask(get(&by_hash(name))).await.status(), 503, "{switch}: {name}");
        }
        let store = json!({"media_hash": media("b").to_string(), "manifest": {}});
        assert_eq!(ask(request(Method::POST, "/v1/proofs", &store)).await.status(), 503, "{switch}");
    }
}

//! A record that cannot be read during a walk may be the one that names a manifest, so that walk removes no manifest.

use credlink_core::object::{Object, ObjectKey};
use credlink_ports::doubles::faults::FaultPlan;
use credlink_ports::{Clock as _, Index as _, Listing, Objects as _};
use credlink_service::cleanup::{Limits, cleanup};

use credlink_ports::doubles::MemoryIndex;
use http::Method;

use super::put_manifest;
use crate::faults::act::What::C2pa;
use crate::faults::act::{c2pa_id, proof_id};
use crate::faults::gate::Gate;
use crate::guard::ground::{Ground, answer, done, ready};
use crate::http::ask::{get, text};

/// A store whose index has lost its rows: only records name the manifests `one` and `two`, and nothing names `orphan`.
async fn without_rows() -> Ground {
    let ground = Ground::new();
    let process = ground.process().unguarded();
    for (file, name) in [("a", "one"), ("b", "two")] {
        let body = C2pa(name).body(file, 31_536_000);
        done(&process, text(Method::POST, "/v1/proofs", std::str::from_utf8(&body).unwrap())).await;
    }
    put_manifest(&ground.objects, "orphan", ground.clock.now()).await;
    ground.clock.advance_seconds(3_600);
    ground.beside(MemoryIndex::new())
}

async fn assert_served(ground: &Ground, when: &str) {
    let process = ground.process().unguarded();
    for name in ["one", "two"] {
        let path = format!("/v1/manifests/{}", c2pa_id(name));
        assert_eq!(answer(&process, get(&path)).await.status(), 200, "{when}: {name}");
    }
    for file in ["a", "b"] {
        let path = format!("/v1/proofs/{}", proof_id(file));
        assert_eq!(answer(&process, get(&path)).await.status(), 200, "{when}: {file}");
    }
}

async fn orphans(ground: &Ground) -> usize {
    let removed = ground.objects.list(ObjectKey::REMOVED, None, 1_000).await.unwrap().items;
    assert!(removed.iter().all(|listed| listed.key.ends_with("orphan")), "{removed:?}");
    removed.len()
}

#[test]
fn a_read_that_fails_in_a_walk_costs_no_manifest() {
    let mut kept = 0;
    for n in 1.. {
        let ground = ready(without_rows());
        let plan = FaultPlan::read_at(n);
        let process = ground.process_with(&plan, &Gate::open()).unguarded();
        let limits = Limits::until(ground.clock.now().plus_seconds(1_000));
        let run = ready(cleanup(&process, limits, None));
        let when = format!("read {n} fails");
        ready(assert_served(&ground, &when));
        kept += usize::from(ready(orphans(&ground)) == 0);
        let failed = !matches!(&run, Ok(report) if report.failed == 0);
        // The next walk reads everything, restores the rows of the proofs, and removes the orphan.
        let calm = ground.process().unguarded();
        let limits = Limits::until(ground.clock.now().plus_seconds(1_000));
        let report = ready(cleanup(&calm, limits, None)).unwrap();
        assert_eq!((report.failed, report.resume), (0, None), "{when}");
        ready(assert_served(&ground, &when));
        assert_eq!(ready(orphans(&ground)), 1, "{when}");
        let rows = ready(ground.index.list(&Listing::All, None, 1_000)).unwrap().unwrap().items;
        assert_eq!(rows.iter().filter(|row| matches!(row, credlink_core::row::Row::Proof(_))).count(), 2);
        if !failed && plan.reads() < n {
            break;
        }
    }
    assert!(kept > 3, "{kept} walks with a failure kept the orphan");
}

/// Flips a bit of a record, and waits until orphans are due. Returns the intact record.
async fn damage_a_record(ground: &Ground) -> (ObjectKey, Object) {
    let key = ObjectKey::Record(proof_id("a"));
    let record = ground.objects.get(&key).await.unwrap().unwrap();
    let mut bytes = record.body.to_vec();
    bytes[20] ^= 1;
    ground.objects.delete(&key).await.unwrap();
    super::put(&ground.objects, &key, bytes.into(), &record.head.attributes).await;
    ground.clock.advance_seconds(3_600);
    (key, record)
}

#[tokio::test]
async fn a_damaged_record_keeps_every_manifest() {
    let ground = without_rows().await;
    let (key, record) = damage_a_record(&ground).await;
    let process = ground.process().unguarded();
    for _ in 0..2 {
        let limits = Limits::until(ground.clock.now().plus_seconds(1_000));
        let report = cleanup(&process, limits, None).await.unwrap();
        assert_eq!((report.failed, report.deleted), (1, 0), "{report:?}");
        assert_eq!(orphans(&ground).await, 0);
    }
    // The record is restored from a backup.
    ground.objects.delete(&key).await.unwrap();
    super::put(&ground.objects, &key, record.body, &record.head.attributes).await;
    ground.clock.advance_seconds(3_600);
    let limits = Limits::until(ground.clock.now().plus_seconds(1_000));
    let report = cleanup(&process, limits, None).await.unwrap();
    assert_eq!((report.failed, report.deleted), (0, 1), "{report:?}");
    assert_served(&ground, "with the record").await;
    assert_eq!(orphans(&ground).await, 1);
}

/// A resumed walk remembers that something could not be read.
#[tokio::test]
async fn a_walk_in_steps_remembers_what_it_could_not_read() {
    let ground = without_rows().await;
    damage_a_record(&ground).await;
    let process = ground.process().unguarded();
    let (mut position, mut steps) = (None, 0);
    loop {
        // A step of one page.
        let report = cleanup(&process, Limits::until(ground.clock.now()), position).await.unwrap();
        assert_eq!(report.deleted, 0, "{report:?}");
        steps += 1;
        let Some(resume) = report.resume else { break };
        let text = serde_json::to_string(&resume).unwrap();
        position = Some(serde_json::from_str(&text).unwrap());
    }
    assert!(steps >= 5, "{steps}");
    assert_eq!(orphans(&ground).await, 0);
}

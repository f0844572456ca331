//! Stores that ended between an object and its row, over an index that no read consults: the next cleanup finds them by
//! the intents that they noted before, without a walk.

use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_ports::{Clock as _, Index as _, Objects as _};
use credlink_service::cleanup::{Limits, Report, cleanup};
use data_encoding::BASE64;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::faults::act::{c2pa_bytes, c2pa_id};
use crate::faults::gate::Gate;
use crate::guard::ground::{Ground, Process, answer, store};
use crate::http::ask::{self, proof, proof_path};

/// A scheduled run that does not walk.
async fn run(ground: &Ground, process: &Process, intents_from: Option<Timestamp>) -> Report {
    let deadline = ground.clock.now().plus_seconds(1_000);
    let limits = Limits { walk: false, intents_from, ..Limits::until(deadline) };
    cleanup(process, limits, None).await.unwrap()
}

async fn listed(process: &Process, path: &str, member: &str) -> Vec<Value> {
    let page = answer(process, ask::get(path)).await;
    let page: Value = serde_json::from_slice(page.body()).unwrap();
    page[member].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
}

/// Counts the writes of a flow, in a world of its own.
async fn writes(flow: impl AsyncFn(&Process)) -> u64 {
    let (ground, plan) = (Ground::shared(), FaultPlan::none());
    ground.process().standing().await;
    flow(&ground.process_with(&plan, &Gate::open())).await;
    plan.writes()
}

#[tokio::test]
async fn a_store_that_ended_between_its_record_and_its_row_is_listed_after_the_next_run() {
    let (id, get) = (json!(proof("a").to_string()), || ask::get(&proof_path("a")));
    let writes = writes(async |process| drop(answer(process, store("a")).await)).await;
    let (mut found, mut ended) = (0, 0);
    for end in 1..=writes {
        for flavour in [Flavour::Lost, Flavour::Kept] {
            let ground = Ground::shared();
            let calm = ground.process();
            calm.standing().await;
            let process = ground.process_with(&FaultPlan::from(end, flavour), &Gate::open());
            let stored = answer(&process, store("a")).await.status();
            ended += u32::from(!stored.is_success());
            let is_read = answer(&calm, get()).await.status() == StatusCode::OK;
            let is_listed = listed(&calm, "/v1/proofs", "proofs").await == [id.clone()];
            let report = run(&ground, &calm, None).await;
            let completed = u64::from(is_read && !is_listed);
            found += completed;
            assert_eq!((report.completed, report.failed), (completed, 0), "write {end}, {flavour:?}");
            assert_eq!(report.intents_from, Some(ground.clock.now().minus_seconds(600)));
            assert_eq!(listed(&calm, "/v1/proofs", "proofs").await == [id.clone()], is_read);
            assert_eq!(answer(&calm, get()).await.status() == StatusCode::OK, is_read);
        }
    }
    assert!(found >= 2 && ended >= 4, "{found} were found in {ended}");
}

#[tokio::test]
async fn what_is_stored_again_after_a_deletion_is_found_as_well() {
    let ground = Ground::shared();
    let calm = ground.process();
    calm.standing().await;
    assert_eq!(answer(&calm, store("a")).await.status(), StatusCode::CREATED);
    let delete = ask::ask(Method::DELETE, &proof_path("a"));
    assert_eq!(answer(&calm, delete).await.status(), StatusCode::NO_CONTENT);
    let again = async |process: &Process| answer(process, store("a")).await.status();
    // The row is its last write.
    let plan = FaultPlan::none();
    assert_eq!(again(&ground.snapshot().process_with(&plan, &Gate::open())).await, StatusCode::CREATED);
    let plan = FaultPlan::from(plan.writes(), Flavour::Lost);
    assert!(again(&ground.process_with(&plan, &Gate::open())).await.is_server_error());
    assert_eq!(answer(&calm, ask::get(&proof_path("a"))).await.status(), StatusCode::OK);
    assert!(listed(&calm, "/v1/proofs", "proofs").await.is_empty());
    assert_eq!(run(&ground, &calm, None).await.completed, 1);
    assert_eq!(listed(&calm, "/v1/proofs", "proofs").await, [json!(proof("a").to_string())]);
}

#[tokio::test]
async fn a_manifest_by_itself_is_listed_once_it_has_its_hold() {
    let post = || ask::c2pa(Method::POST, "/v1/manifests", c2pa_bytes("m").to_vec());
    let writes = writes(async |process| drop(answer(process, post()).await)).await;
    let ground = Ground::shared();
    let calm = ground.process();
    calm.standing().await;
    let plan = FaultPlan::from(writes, Flavour::Lost);
    let process = ground.process_with(&plan, &Gate::open());
    assert!(answer(&process, post()).await.status().is_server_error());
    assert!(listed(&calm, "/v1/manifests", "manifests").await.is_empty());
    assert_eq!(run(&ground, &calm, None).await.completed, 1);
    assert_eq!(listed(&calm, "/v1/manifests", "manifests").await, [json!(c2pa_id("m"))]);
}

#[tokio::test]
async fn a_run_goes_on_where_the_last_one_ended_and_only_if_all_could_be_looked_at() {
    let ground = Ground::shared();
    let calm = ground.process();
    calm.standing().await;
    assert_eq!(answer(&calm, store("warm")).await.status(), StatusCode::CREATED);
    let first = run(&ground, &calm, None).await.intents_from;
    assert_eq!(first, Some(ground.clock.now().minus_seconds(600)));
    ground.clock.advance_seconds(3_600);
    // The first store of an hour also writes the mark. The row is the last write.
    let plan = FaultPlan::none();
    drop(answer(&ground.snapshot().process_with(&plan, &Gate::open()), store("a")).await);
    let plan = FaultPlan::from(plan.writes(), Flavour::Lost);
    assert!(answer(&ground.process_with(&plan, &Gate::open()), store("a")).await.status().is_server_error());
    assert!(ground.objects.head(&ObjectKey::Record(proof("a"))).await.unwrap().is_some());
    // Nothing can be written, so the next run begins where this one did.
    let failing = ground.process_with(&FaultPlan::from(1, Flavour::Lost), &Gate::open());
    let report = run(&ground, &failing, first).await;
    assert_eq!((report.completed, report.intents_from), (0, None));
    assert!(report.failed > 0, "{report:?}");
    // A run that begins after the intent finds nothing. A run that begins where the last one ended finds it.
    let late = ground.clock.now().plus_seconds(3_600);
    ground.clock.advance_seconds(7_200);
    assert_eq!(run(&ground, &calm, Some(late)).await.completed, 0);
    assert_eq!(ground.index.intents(first.unwrap(), None, 10).await.unwrap().items.len(), 2);
    assert_eq!(run(&ground, &calm, first).await.completed, 1);
}

#[tokio::test]
async fn a_run_that_has_no_more_time_says_how_far_it_got() {
    let ground = Ground::shared();
    let calm = ground.process();
    calm.standing().await;
    let began = ground.clock.now();
    for number in 0..900 {
        ground.clock.set(began.plus_seconds(number));
        let key = ObjectKey::Record(proof(&number.to_string()));
        ground.index.intend(&key, ground.clock.now()).await.unwrap();
    }
    ground.clock.advance_seconds(3_600);
    let short = async |intents_from| {
        let limits = Limits { walk: false, intents_from, ..Limits::until(ground.clock.now()) };
        cleanup(&calm, limits, None).await.unwrap().intents_from
    };
    let first = short(None).await;
    assert_eq!(first, Some(began.plus_seconds(399)), "one page");
    let second = short(first).await;
    assert_eq!(second, Some(began.plus_seconds(798)));
    assert_eq!(short(second).await, Some(ground.clock.now().minus_seconds(600)), "the end");
    // A bookmark from a clock that was ahead is ignored.
    assert_eq!(short(Some(ground.clock.now().plus_seconds(600))).await, first);
}

/// Two stores that were cut off between record and row.
async fn two_cut_off() -> Ground {
    let ground = Ground::shared();
    ground.process().standing().await;
    assert_eq!(answer(&ground.process(), store("warm")).await.status(), StatusCode::CREATED);
    for name in ["a", "b"] {
        let plan = FaultPlan::none();
        let counted = ground.snapshot().process_with(&plan, &Gate::open());
        counted.standing().await;
        let before = plan.writes();
        drop(answer(&counted, store(name)).await);
        let plan = FaultPlan::from(plan.writes() - before, Flavour::Lost);
        let process = ground.process_with(&plan, &Gate::open());
        process.standing().await;
        assert!(answer(&process, store(name)).await.status().is_server_error());
    }
    ground
}

#[tokio::test]
async fn whatever_fails_the_next_run_finishes_the_rest() {
    let ground = two_cut_off().await;
    // The next run begins after the intents noted so far.
    ground.clock.advance_seconds(1_200);
    let plan = FaultPlan::none();
    let copy = ground.snapshot();
    assert_eq!(run(&copy, &copy.process_with(&plan, &Gate::open()), None).await.completed, 2);
    let (mut failed, mut kept) = (0, 0);
    for plan in (1..=plan.reads()).map(FaultPlan::read_at).chain(
        (1..=plan.writes())
            .flat_map(|write| [FaultPlan::at(write, Flavour::Lost), FaultPlan::at(write, Flavour::Kept)]),
    ) {
        let ground = ground.snapshot();
        let process = ground.process_with(&plan, &Gate::open());
        let limits = Limits { walk: false, ..Limits::until(ground.clock.now().plus_seconds(1_000)) };
        let report = match cleanup(&process, limits, None).await {
            Ok(report) => report,
            Err(interrupted) => interrupted.report,
        };
        failed += report.failed;
        kept += u64::from(report.failed > 0 && report.intents_from.is_some());
        let calm = ground.process();
        ground.clock.advance_seconds(300);
        run(&ground, &calm, report.intents_from).await;
        assert_eq!(listed(&calm, "/v1/proofs", "proofs").await.len(), 3, "{plan:?} {report:?}");
    }
    assert!(failed > 5 && kept > 5, "{failed} failed, {kept} were noted once more");
}

#[tokio::test]
async fn a_run_removes_few_orphans_and_none_while_the_collector_is_stopped() {
    let ground = Ground::shared();
    let calm = ground.process();
    assert_eq!(answer(&calm, store("warm")).await.status(), StatusCode::CREATED);
    for number in 0..15 {
        let name = format!("orphan {number}");
        let id = c2pa_id(&format!("m{number}"));
        let body = json!({
            "media_hash": ask::media(&name).to_string(),
            "manifest_base64": BASE64.encode(&c2pa_bytes(&format!("m{number}"))),
        });
        let request = || ask::json(Method::POST, "/v1/proofs", &body);
        // The last write is the commit of the rows.
        let plan = FaultPlan::none();
        let counted = ground.snapshot().process_with(&plan, &Gate::open());
        counted.standing().await;
        let before = plan.writes();
        drop(answer(&counted, request()).await);
        let process =
            ground.process_with(&FaultPlan::from(plan.writes() - before, Flavour::Lost), &Gate::open());
        process.standing().await;
        assert!(answer(&process, request()).await.status().is_server_error());
        // The owner deletes the manifest.
        let gone = answer(&calm, ask::ask(Method::DELETE, &format!("/v1/manifests/{id}"))).await;
        assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    }
    calm.stop_collector(1, 1).await.unwrap();
    let report = run(&ground, &ground.process(), None).await;
    assert_eq!((report.deleted, report.stopped.is_some()), (0, true), "{report:?}");
    calm.let_collector_go_on().await.unwrap();
    let mut from = report.intents_from;
    for removed in [10, 5, 0] {
        ground.clock.advance_seconds(1_200);
        let report = run(&ground, &ground.process(), from).await;
        assert_eq!((report.deleted, &report.stopped), (removed, &None), "{report:?}");
        from = report.intents_from;
    }
    let kept = ground.objects.list(ObjectKey::REMOVED, None, 1_000).await.unwrap().items.len();
    assert_eq!(kept, 15);
}

/// A manifest that is stored and deleted within a few minutes leaves no orphan.
#[tokio::test]
async fn holds_that_were_dropped_are_not_counted() {
    let ground = Ground::shared();
    let calm = ground.process();
    let post = || ask::c2pa(Method::POST, "/v1/manifests", c2pa_bytes("m").to_vec());
    for _ in 0..3 {
        assert_eq!(answer(&calm, post()).await.status(), StatusCode::CREATED);
        let gone = answer(&calm, ask::ask(Method::DELETE, &format!("/v1/manifests/{}", c2pa_id("m")))).await;
        assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    }
    let report = run(&ground, &calm, None).await;
    assert_eq!((report.examined, report.deleted, report.completed), (0, 0, 0), "{report:?}");
}

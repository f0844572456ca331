//! An index that lost all its rows, in a service without a guard: cleanup restores every row from the objects, and
//! removes nothing.

use credlink_core::row::{ManifestRow, ProofRow, Row, State};
use credlink_ports::doubles::MemoryIndex;
use credlink_ports::{Clock as _, Index as _, Listing, Objects as _};
use credlink_service::cleanup::{Limits, cleanup};
use credlink_service::fsck::{Severity, fsck};
use http::{Method, Request};

use crate::faults::act::What::{C2pa, Json};
use crate::faults::act::{What, c2pa_bytes, c2pa_id, proof_id};
use crate::guard::ground::{Ground, Process, answer, done};
use crate::http::ask::{ask, c2pa, get, text, with};

/// The legacy IDs that are named by no object except the records and tombstones of their proofs.
const RECORDED: [&str; 2] = ["p-1", "p-3"];

fn store(file: &'static str, what: What) -> Request<bytes::Bytes> {
    text(Method::POST, "/v1/proofs", std::str::from_utf8(&what.body(file, 31_536_000)).unwrap())
}

fn take_over(file: &'static str, what: What, id: &str) -> Request<bytes::Bytes> {
    text(Method::POST, "/v1/proofs", std::str::from_utf8(&what.legacy_body(file, id, None)).unwrap())
}

fn replace(file: &'static str, what: What) -> Request<bytes::Bytes> {
    let body = what.body(file, 31_536_000);
    let path = format!("/v1/proofs/{}", proof_id(file));
    let request = text(Method::PUT, &path, std::str::from_utf8(&body).unwrap());
    with(request, http::header::IF_MATCH, "*")
}

fn delete(file: &'static str) -> Request<bytes::Bytes> {
    ask(Method::DELETE, &format!("/v1/proofs/{}", proof_id(file)))
}

/// A store with one of everything that can be stored.
async fn with_everything() -> Ground {
    let ground = Ground::new();
    let process = ground.process().unguarded();
    for request in [
        store("json", Json(r#"{ "title" : 1.0 }"#)),
        store("c2pa", C2pa("one")),
        store("shared", C2pa("one")),
        store("replaced", C2pa("first")),
        replace("replaced", Json(r#"{"n":2}"#)),
        replace("replaced", C2pa("third")),
        store("deleted", C2pa("gone")),
        delete("deleted"),
        store("again", Json(r#"{"n":1}"#)),
        delete("again"),
        store("again", C2pa("again")),
        replace("again", C2pa("again-2")),
        take_over("legacy", C2pa("legacy"), "p-1"),
        take_over("c2pa", C2pa("one"), "p-2"),
        take_over("gone", Json(r#"{"n":3}"#), "p-3"),
        delete("gone"),
        c2pa(Method::POST, "/v1/manifests", c2pa_bytes("alone").to_vec()),
        c2pa(Method::POST, "/v1/manifests", c2pa_bytes("one").to_vec()),
        c2pa(Method::POST, "/v1/manifests", c2pa_bytes("deleted").to_vec()),
        ask(Method::DELETE, &format!("/v1/manifests/{}", c2pa_id("deleted"))),
        c2pa(Method::POST, "/v1/manifests", c2pa_bytes("twice").to_vec()),
        ask(Method::DELETE, &format!("/v1/manifests/{}", c2pa_id("twice"))),
        c2pa(Method::POST, "/v1/manifests", c2pa_bytes("twice").to_vec()),
    ] {
        ground.clock.advance_seconds(1);
        done(&process, request).await;
    }
    ground.clock.advance_seconds(3_600);
    ground
}

/// Returns all rows without the fields that only count commits. A deleted manifest keeps the content of its row in its
/// tombstone, and gets the row back when the manifest is next requested.
async fn rows(ground: &Ground) -> Vec<Row> {
    let page = ground.index.list(&Listing::All, None, 1_000).await.unwrap().unwrap();
    let rows = page.items.into_iter().filter_map(|row| match row {
        Row::Proof(row) => Some(Row::Proof(ProofRow { version: 0, ..row })),
        Row::Manifest(ManifestRow { state: State::Deleted(_), .. }) | Row::Store(_) => None,
        // A completed replacement leaves this field at the value of its claim, and an object records no claims.
        Row::Manifest(row) => Some(Row::Manifest(ManifestRow { version: 0, void: false, ..row })),
        // `credlink rebuild` binds these IDs again.
        Row::Alias(row) if RECORDED.contains(&row.id.as_str()) => None,
        Row::Alias(row) => Some(Row::Alias(credlink_core::row::AliasRow { version: 0, ..row })),
        other => Some(other),
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by_key(Row::key);
    rows
}

/// Status and body of everything that can be read.
async fn served(process: &Process) -> Vec<(String, u16, bytes::Bytes)> {
    let files = ["json", "c2pa", "shared", "replaced", "deleted", "again", "legacy", "gone"];
    let mut paths = Vec::new();
    for file in files {
        let path = format!("/v1/proofs/{}", proof_id(file));
        paths.extend((1..4).map(|revision| format!("{path}/{revision}")));
        paths.push(path);
    }
    for name in ["one", "first", "third", "gone", "again", "again-2", "legacy", "alone", "deleted", "twice"] {
        paths.push(format!("/v1/manifests/{}", c2pa_id(name)));
    }
    paths.extend(["p-1", "p-2", "p-3"].map(|id| format!("/v1/proofs/{id}")));
    paths.extend(["/v1/proofs", "/v1/manifests", "/v1/aliases"].map(ToOwned::to_owned));
    let mut served = Vec::new();
    for path in paths {
        let answer = answer(process, get(&path)).await;
        if RECORDED.iter().any(|id| path.ends_with(id)) || path == "/v1/aliases" {
            continue;
        }
        // The body of a problem contains the ID of its own request.
        let body = if answer.status() == 200 { answer.body().clone() } else { bytes::Bytes::new() };
        served.push((path, answer.status().as_u16(), body));
    }
    served
}

/// Empties the index, cleans up in steps of one page or all at once, and compares rows and answers.
async fn everything_is_taken_up(any_age: bool) {
    let ground = with_everything().await;
    let (rows_before, served_before) = (rows(&ground).await, served(&ground.process().unguarded()).await);
    let keys_before = ground.objects.list("", None, 1_000).await.unwrap().items;
    let ground = ground.beside(MemoryIndex::new());
    let process = ground.process().unguarded();
    let limits = Limits { any_age, ..Limits::until(ground.clock.now().plus_seconds(1_000)) };
    let report = cleanup(&process, limits, None).await.unwrap();
    assert_eq!((report.deleted, report.failed, report.resume), (0, 0, None));
    assert!(report.completed >= 12, "{}", report.completed);
    let keys = ground.objects.list("", None, 1_000).await.unwrap().items;
    assert_eq!(keys.len(), keys_before.len());
    for (row, before) in rows(&ground).await.into_iter().zip(&rows_before) {
        assert_eq!(row, *before);
    }
    let keys = |rows: &[Row]| rows.iter().map(|row| row.key().to_string()).collect::<Vec<_>>();
    assert_eq!(keys(&rows(&ground).await), keys(&rows_before));
    for (served, before) in served(&ground.process().unguarded()).await.into_iter().zip(served_before) {
        assert_eq!(served, before);
    }
    let again = cleanup(&process, limits, None).await.unwrap();
    assert_eq!((again.deleted, again.completed, again.failed), (0, 0, 0), "there is nothing left to do");
    let mut broken = Vec::new();
    fsck(&process, |finding| broken.extend((finding.severity == Severity::Broken).then_some(finding)))
        .await
        .unwrap();
    assert_eq!(broken, [], "after all rows were lost");
    // The ID of a deleted manifest is bound to its content for ever, and so is the ID of a stored one.
    for (name, status) in [("deleted", 409), ("gone", 409), ("alone", 409)] {
        let other = credlink_core::testing::manifest_store(
            &c2pa_id(name),
            &credlink_core::hash::Digest::of(b"other"),
        );
        let refused = answer(&process, c2pa(Method::POST, "/v1/manifests", other)).await;
        assert_eq!(refused.status(), status, "{name}");
    }
}

#[tokio::test]
async fn an_empty_index_is_filled_from_the_objects() {
    everything_is_taken_up(false).await;
}

#[tokio::test]
async fn an_empty_index_is_filled_by_a_repair() {
    everything_is_taken_up(true).await;
}

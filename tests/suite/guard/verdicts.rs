//! Every state of index and store, with every act in each.

use credlink_core::rules::guard::Act;
use http::{Method, StatusCode};
use serde_json::json;

use super::ground::{Ground, answer, body, done, labels, replace, store};
use crate::http::ask::{ask, get, json, proof, proof_path, text};

/// A store with the proofs `a` and `b`, each commit of which the mark covers, and its index from before the last
/// commit.
async fn two_proofs() -> (Ground, Ground) {
    let ground = Ground::new();
    let process = ground.process();
    done(&process, store("a")).await;
    process.tick().await.unwrap();
    let before = ground.beside(ground.index.snapshot());
    done(&process, store("b")).await;
    process.tick().await.unwrap();
    (ground, before)
}

/// Returns every state of index and store: its name, the label of the doubt that it must lead to, and `true` if `b` can
/// still be read.
async fn states() -> Vec<(&'static str, &'static str, Ground, bool)> {
    let (whole, _) = two_proofs().await;
    let (_, older) = two_proofs().await;
    let (replaced, before_replacement) = two_proofs().await;
    let before_replacement = before_replacement.beside(replaced.index.snapshot());
    for number in [1, 2] {
        let process = replaced.process();
        done(&process, replace("b", number)).await;
        process.tick().await.unwrap();
    }
    let (day, _) = two_proofs().await;
    let yesterday = day.beside(day.index.snapshot());
    for name in ["c", "d", "e"] {
        day.clock.advance_seconds(28_800);
        let process = day.process();
        done(&process, store(name)).await;
        process.tick().await.unwrap();
    }
    let (old_objects, _) = two_proofs().await;
    let objects = old_objects.objects.snapshot();
    for name in ["c", "d"] {
        let process = old_objects.process();
        done(&process, store(name)).await;
        process.tick().await.unwrap();
    }
    let old_objects = Ground { objects, ..old_objects };
    let (foreign, _) = two_proofs().await;
    let foreign = foreign.beside(two_proofs().await.0.index);
    // Both continue independently from the same instant.
    let (forked, _) = two_proofs().await;
    let fork = Ground { objects: forked.objects.snapshot(), ..forked.beside(forked.index.snapshot()) };
    for (ground, name) in [(&forked, "c"), (&fork, "d")] {
        ground.clock.advance_seconds(60);
        let process = ground.process();
        done(&process, store(name)).await;
        process.tick().await.unwrap();
    }
    let forked = forked.beside(fork.index);
    let (lost, _) = two_proofs().await;
    let lost = lost.beside(Ground::new().index);
    let (objects_lost, _) = two_proofs().await;
    let objects_lost = Ground { objects: Ground::new().objects, ..objects_lost };
    let unmarked = Ground::new();
    let unguarded = unmarked.process().unguarded();
    done(&unguarded, store("a")).await;
    done(&unguarded, store("b")).await;
    vec![
        ("nothing happened", "", whole, true),
        ("an index from before the last commit", "index_older", older, true),
        ("an index from before two replacements", "index_older", before_replacement, true),
        ("an index of yesterday", "index_older", yesterday, true),
        ("objects of earlier", "store_older", old_objects, true),
        ("the index of another store", "foreign", foreign, true),
        ("the index of a copy that was used by itself", "foreign", forked, true),
        ("no index", "index_new", lost, true),
        ("no objects", "store_unmarked", objects_lost, false),
        ("no marks", "unmarked", unmarked, true),
    ]
}

#[tokio::test]
async fn every_act_is_allowed_or_refused() {
    for (name, label, ground, is_there) in states().await {
        let forbids = |act| match label {
            "" => false,
            "foreign" | "index_new" | "store_unmarked" => true,
            _ => act != Act::Change,
        };
        let before = ground.tree().await;
        let process = ground.process();
        let wanted: Vec<&str> = Some(label).into_iter().filter(|label| !label.is_empty()).collect();
        assert_eq!(labels(&process.standing().await), wanted, "{name}");

        // Destructive acts come first, while everything is as it was found.
        let batch = json(Method::POST, "/v1/proofs/batch-delete", &json!({"ids": [proof("a").to_string()]}));
        if forbids(Act::Destroy) {
            let manifest = ask(Method::DELETE, "/v1/manifests/urn:c2pa:x");
            for request in [ask(Method::DELETE, &proof_path("a")), batch, manifest] {
                let answered = answer(&process, request).await;
                assert_eq!(answered.status(), StatusCode::SERVICE_UNAVAILABLE, "{name}");
                assert!(answered.headers().contains_key("retry-after"), "{name}");
                let problem = body(&answered);
                assert_eq!(problem["type"], "urn:credlink:problem:stopped", "{name}");
                let words = problem["detail"].as_str().unwrap();
                assert!(words.contains("deleted until an operator"), "{name}: {words}");
            }
        }
        let report = ground.clean_up(&process).await;
        assert_eq!(report.stopped.is_some(), forbids(Act::Destroy), "{name}: {report:?}");
        assert_eq!((report.deleted, report.failed), (0, 0), "{name}: {report:?}");
        // A walk that could not begin has not reached its end.
        assert_eq!(report.resume.is_some(), forbids(Act::Change), "{name}: {report:?}");
        assert_eq!(ground.tree().await, before, "{name}: nothing is destroyed, and nothing changed");

        let repairs = process.may_repair().await.is_ok();
        assert_eq!(repairs, !["index_older", "foreign", "index_new"].contains(&label), "{name}");

        // Reads continue.
        for file in ["a", "b"] {
            let status = answer(&process, get(&proof_path(file))).await.status();
            assert_eq!(status == StatusCode::OK, is_there, "{name}: {file} {status}");
        }
        let health = body(&answer(&process, get("/v1/health")).await);
        let problems = health["problems"].as_array().map_or(0, Vec::len);
        assert_eq!((health["status"] == "degraded", problems), (!label.is_empty(), wanted.len()), "{name}");

        // Acts that add something continue if they cannot mix two stores.
        let stored = answer(&process, store("new")).await.status();
        let bound = text(Method::PUT, "/v1/aliases/old", &json!({"proof": proof("a")}).to_string());
        let bound = answer(&process, bound).await.status();
        if forbids(Act::Change) {
            assert_eq!((stored, bound), (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE));
            assert_eq!(answer(&process, replace("a", 9)).await.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(ground.tree().await, before, "{name}");
        } else {
            assert_eq!(stored, StatusCode::CREATED, "{name}");
            // A legacy ID that the index does not know may be in a record that it does not know either.
            let is_known = !["index_older", "unmarked"].contains(&label);
            assert_eq!(bound != StatusCode::SERVICE_UNAVAILABLE, is_known, "{name}");
        }
        let deleted = answer(&process, ask(Method::DELETE, &proof_path("a"))).await.status();
        let may = deleted == StatusCode::NO_CONTENT;
        assert_eq!(may, !forbids(Act::Destroy), "{name}: {deleted}");
    }
}

#[tokio::test]
async fn stores_and_ticks_do_not_make_an_older_index_catch_up() {
    let (_, older) = two_proofs().await;
    for number in 0..6 {
        let process = older.process();
        done(&process, store(&format!("new {number}"))).await;
        process.tick().await.unwrap();
        process.tick_for_all().await.unwrap();
        older.clock.advance_seconds(300);
        process.tick_in_turn().await;
        assert_eq!(labels(&older.process().standing().await), ["index_older"], "{number}");
    }
}

#[tokio::test]
async fn who_rebuilt_the_index_says_that_both_belong_together() {
    for (name, _, ground, _) in states().await {
        let copy = ground.beside(ground.index.snapshot());
        let process = ground.process();
        process.join_index_and_store().await.unwrap();
        assert_eq!(labels(&process.standing().await), [""; 0], "{name}");
        ground.assert_in_step(name).await;
        // From now on the index from before is older than the store, or knows of no store.
        if copy.row().await.is_some() {
            assert_ne!(labels(&copy.process().standing().await), [""; 0], "{name}");
        }
        assert!(process.may_collect().await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn the_breaker_of_the_collector_stands_until_an_operator_lets_it_go_on() {
    let (ground, _) = two_proofs().await;
    let process = ground.process();
    assert!(process.stop_collector(120, 300).await.unwrap());
    ground.clock.advance_seconds(3_600);
    assert!(process.stop_collector(1, 2).await.unwrap());
    let restarted = ground.process();
    let stopped = restarted.collector_stopped().await.unwrap().unwrap();
    assert_eq!((stopped.removed, stopped.of), (120, 300), "the first one counts");
    assert!(restarted.may_collect().await.is_err());
    assert!(restarted.may_destroy().await.is_ok());
    assert!(restarted.may_change().await.is_ok());
    let health = body(&answer(&restarted, get("/v1/health")).await);
    assert_eq!(health["status"], "degraded");
    let words = health["problems"][0].as_str().unwrap();
    assert!(words.contains("120 of 300") && words.contains("--go-on"), "{words}");
    assert!(restarted.let_collector_go_on().await.unwrap());
    assert!(restarted.may_collect().await.is_ok());
    assert_eq!(process.collector_stopped().await.unwrap(), None);
}

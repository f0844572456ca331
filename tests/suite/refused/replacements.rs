//! Signers that replace one proof in turn with `If-Match`, until it has all the revisions that it may have.

use std::collections::BTreeSet;

use credlink_core::bounds::MAX_REVISIONS;
use http::Method;
use http::header::{ETAG, IF_MATCH};
use serde_json::json;

use data_encoding::BASE64;

use super::{assert_clean, assert_never_brought, content, id, proof_row, served, store};
use crate::http::ask::{get, json, media, proof_path, with};
use crate::world::{Ground, World};

const SIGNERS: usize = 4;

/// The numbers of a signer's accepted manifests, and of its refused ones.
#[derive(Default)]
struct Signed {
    accepted: Vec<usize>,
    refused: Vec<usize>,
}

/// Replaces the present record again and again, until no further revision is allowed.
async fn sign(world: World, name: &str, signer: usize) -> Signed {
    let (media, path) = (media(name), proof_path(name));
    let mut signed = Signed::default();
    for turn in 0.. {
        let number = 1 + turn * SIGNERS + signer;
        let tag = world.answer(get(&path)).await.headers()[ETAG].clone();
        let body = json!({"manifest_base64": BASE64.encode(&content(&media, number))});
        let request = with(json(Method::PUT, &path, &body), IF_MATCH, tag.to_str().unwrap());
        let answer = world.answer(request).await;
        let words = String::from_utf8_lossy(answer.body()).into_owned();
        match answer.status().as_u16() {
            200 => signed.accepted.push(number),
            412 => signed.refused.push(number),
            409 if words.contains("contended") => signed.refused.push(number),
            409 => {
                assert!(words.contains("too-many-revisions"), "{words}");
                signed.refused.push(number);
                break;
            }
            status => panic!("{status}: {words}"),
        }
    }
    signed
}

async fn signers(ground: Ground) {
    let world = World::on(ground);
    let media = media("signed");
    assert_eq!(world.answer(store(&media, 0)).await.status(), 201);
    let tasks: Vec<_> =
        (0..SIGNERS).map(|signer| tokio::spawn(sign(world.clone(), "signed", signer))).collect();
    let (mut accepted, mut refused) = (vec![0], Vec::new());
    for task in tasks {
        let signed = task.await.unwrap();
        accepted.extend(signed.accepted);
        refused.extend(signed.refused);
    }
    assert_eq!(accepted.len(), usize::try_from(MAX_REVISIONS).unwrap(), "{} were refused", refused.len());
    assert!(refused.len() >= SIGNERS, "{}", refused.len());
    let row = proof_row(&world, &media).await;
    assert_eq!((row.revision, row.pending.len(), row.replacing), (MAX_REVISIONS, 0, None));
    let held: BTreeSet<String> = row.held.iter().map(ToString::to_string).collect();
    assert_eq!(held, accepted.iter().map(|number| id(*number)).collect());
    for number in accepted {
        assert_eq!(served(&world, number).await, 200, "{number} was acknowledged");
    }
    assert_clean(&world).await;
    for number in refused {
        assert_never_brought(&world, number).await;
    }
    world.assert_tidy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn signers_that_race_get_all_revisions_and_leave_nothing_else_in_memory() {
    signers(Ground::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn signers_that_race_get_all_revisions_and_leave_nothing_else_in_a_folder() {
    signers(Ground::Folder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn signers_that_race_get_all_revisions_and_leave_nothing_else_on_dynamodb() {
    signers(Ground::Dynamo).await;
}

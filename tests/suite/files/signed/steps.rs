//! The finaliser with a signer, over doubles: each write fails once, in both ways, and finalisers meet. Whatever stands where
//! readers look has a manifest under the address in it, and a second finaliser changes nothing.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::collection::Collections;
use credlink_core::file::{BlobId, RenditionName, UploadId};
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::manifest_id::ManifestId;
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ManifestRow, Row, State};
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_files::Others;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_ports::{
    Clock as _, Commit, Failure, FailureKind, Index as _, NotSigned, Objects as _, RenditionSigner,
    SignedRendition, Signing, SigningOrder, Write,
};
use http::Method;
use serde_json::{Value, json};

use super::super::ground::{Ground, PICTURE};

/// The mark before the address of the manifest in a signed rendition.
const MARK: &str = " manifest at ";

/// A signer that writes the address of the manifest behind the rendition, and whose manifests differ each time.
#[derive(Debug, Default)]
struct Signs {
    refusal: Option<NotSigned>,
    times: AtomicUsize,
}

impl RenditionSigner for Signs {
    fn sign(&self, _original: Bytes, order: SigningOrder) -> Signing<'_> {
        let signed = order.renditions.into_iter().map(|rendition| {
            let bytes = [&rendition.bytes, MARK.as_bytes(), rendition.manifest_url.as_bytes()].concat();
            let mut manifest = manifest_store(rendition.manifest.as_str(), &Digest::of(&bytes));
            // Padding is no part of what a store says.
            manifest.extend(vec![0; 1 + self.times.fetch_add(1, Ordering::Relaxed)]);
            SignedRendition { name: rendition.name, bytes: bytes.into(), manifest: manifest.into() }
        });
        let refused = self.refusal.clone();
        Box::pin(ready(refused.map_or_else(|| Ok(signed.collect()), Err)))
    }
}

fn ground() -> Ground {
    let mut ground = Ground::new();
    ground.collections = Collections::parse(super::collections().to_string().as_bytes()).unwrap();
    ground.signer = Some(Arc::new(Signs::default()));
    ground
}

/// The number of renditions of a picture in these collections.
const RENDITIONS: usize = 4;

impl Ground {
    async fn get(&self, path: &str) -> (u16, Value) {
        self.sound().send(Method::GET, path, &Value::Null).await
    }

    /// Asserts that every rendition that stands somewhere points to a manifest that is there. Returns their number.
    async fn assert_leading(&self, when: &str) -> usize {
        let mut number = 0;
        for key in self.keys(MediaKey::MEDIA).await {
            let key: ObjectKey = key.parse().unwrap();
            if !matches!(key, ObjectKey::Media(MediaKey::Rendition(..))) {
                continue;
            }
            let bytes = self.objects.get(&key).await.unwrap().unwrap().body;
            let text = String::from_utf8_lossy(&bytes);
            let (_, url) = text.split_once(MARK).unwrap_or_else(|| panic!("{when}: {key} is not signed"));
            let path = url.strip_prefix("https://credlink.test").unwrap();
            assert_eq!(self.get(path).await.0, 200, "{when}: {key} points at nothing");
            let proof = ProofId::derive(&Tenant::default(), &MediaHash::of(&bytes));
            let (status, record) = self.get(&format!("/v1/proofs/{proof}")).await;
            assert_eq!(status, 200, "{when}: {key} has no proof");
            assert!(path.ends_with(record["manifest"]["id"].as_str().unwrap()), "{when}: {record}");
            number += 1;
        }
        number
    }

    /// The digest and the proof of each rendition of the only live file.
    async fn renditions(&self) -> BTreeMap<String, (String, String)> {
        let live = self.files().await.into_iter().find(|row| row.state == State::Live).unwrap();
        let (status, file) = self.get(&format!("/v1/files/{}", live.id)).await;
        assert_eq!(status, 200, "{file}");
        let of = |one: &Value, member: &str| one[member].as_str().unwrap_or_default().to_owned();
        let all = file["renditions"].as_array().unwrap().iter();
        all.map(|one| (of(one, "url"), (of(one, "sha256"), of(one, "proof")))).collect()
    }

    async fn live_proofs(&self) -> usize {
        let rows = self.rows().await.into_iter();
        rows.filter_map(Row::proof).filter(|row| row.state == State::Live).count()
    }
}

async fn arrived(ground: &Ground, collection: &str) -> UploadId {
    ground.arrived(collection, PICTURE, &json!({})).await
}

#[tokio::test]
async fn a_signing_finalisation_survives_the_failure_of_each_of_its_writes() {
    let counting = {
        let ground = ground();
        let id = arrived(&ground, "redacted").await;
        let plan = FaultPlan::none();
        ground.process(&plan).finalise(&id, Others::Possible).await.unwrap();
        assert_eq!(ground.assert_leading("without a fault").await, RENDITIONS);
        plan.writes()
    };
    assert!(counting > 4 * RENDITIONS as u64, "manifest, record, rows and rendition: {counting}");
    for flavour in [Flavour::Lost, Flavour::Kept] {
        for number in 1..=counting {
            let when = format!("write {number} of {counting}, {flavour:?}");
            let ground = ground();
            let id = arrived(&ground, "redacted").await;
            let first = ground.process(&FaultPlan::at(number, flavour)).finalise(&id, Others::Possible).await;
            let before = ground.assert_leading(&when).await;
            let standing = ground.stored_renditions().await;
            assert_eq!(standing.len(), before);
            // The next process takes over at once, as after a crash.
            ground.sound().finalise(&id, Others::None).await.unwrap();
            assert_eq!(ground.upload(&id).await.state.name(), "ready", "{when}: {first:?}");
            assert_eq!(ground.assert_leading(&when).await, RENDITIONS, "{when}");
            ground.assert_sound(&when).await;
            // What readers saw is unchanged, and nothing is left of the first attempt.
            let now = ground.stored_renditions().await;
            assert!(standing.iter().all(|(key, digest)| now[key] == *digest), "{when}");
            assert_eq!(ground.live_proofs().await, RENDITIONS, "{when}");
            for (url, (sha256, proof)) in ground.renditions().await {
                assert!(now.values().any(|digest| digest.to_string() == sha256), "{when}: {url}");
                let of = MediaHash::from(sha256.parse::<Digest>().unwrap());
                assert_eq!(proof, ProofId::derive(&Tenant::default(), &of).to_string(), "{when}: {url}");
            }
        }
    }
}

impl Ground {
    async fn stored_renditions(&self) -> BTreeMap<String, Digest> {
        let mut all = BTreeMap::new();
        for key in self.keys(MediaKey::MEDIA).await {
            let parsed: ObjectKey = key.parse().unwrap();
            if let ObjectKey::Media(MediaKey::Rendition(..)) = parsed {
                let body = self.objects.get(&parsed).await.unwrap().unwrap().body;
                all.insert(key, Digest::of(&body));
            }
        }
        all
    }
}

#[tokio::test]
async fn two_finalisers_that_sign_agree() {
    let ground = ground();
    let id = arrived(&ground, "redacted").await;
    let (one, two) = (ground.sound(), ground.sound());
    let (first, second) =
        futures_util::future::join(one.finalise(&id, Others::Possible), two.finalise(&id, Others::None))
            .await;
    assert_eq!((first, second), (Ok(()), Ok(())));
    one.finalise(&id, Others::Possible).await.unwrap();
    assert_eq!(ground.assert_leading("after two").await, RENDITIONS);
    assert_eq!(ground.live_proofs().await, RENDITIONS);
    ground.assert_sound("after two").await;
}

#[tokio::test]
async fn a_rendition_of_another_attempt_counts_with_its_own_proof() {
    let mut ground = ground();
    let first = arrived(&ground, "redacted").await;
    ground.sound().finalise(&first, Others::Possible).await.unwrap();
    let (seen, stored) = (ground.renditions().await, ground.stored_renditions().await);
    // Another version of the encoder makes other bytes of the same picture.
    ground.addition = "!";
    let second = arrived(&ground, "redacted").await;
    ground.sound().finalise(&second, Others::Possible).await.unwrap();
    assert_eq!(ground.stored_renditions().await, stored);
    assert_eq!(ground.assert_leading("after the second").await, RENDITIONS);
    assert_eq!(ground.live_proofs().await, RENDITIONS);
    for row in ground.files().await {
        let (_, file) = ground.get(&format!("/v1/files/{}", row.id)).await;
        for rendition in file["renditions"].as_array().unwrap() {
            let known = seen.values().any(|(sha256, proof)| {
                rendition["sha256"] == json!(sha256) && rendition["proof"] == json!(proof)
            });
            assert!(known, "{rendition}");
        }
    }
}

#[tokio::test]
async fn attempts_with_other_bytes_leave_one_rendition_each() {
    // The first finaliser is cut off after a few renditions, and the next one has another encoder.
    for number in 4..30 {
        let when = format!("from write {number}");
        let mut ground = ground();
        let id = arrived(&ground, "redacted").await;
        let _ = ground.process(&FaultPlan::from(number, Flavour::Lost)).finalise(&id, Others::Possible).await;
        let standing = ground.stored_renditions().await;
        ground.addition = "!";
        ground.sound().finalise(&id, Others::None).await.unwrap();
        assert_eq!(ground.assert_leading(&when).await, RENDITIONS, "{when}");
        let now = ground.stored_renditions().await;
        assert!(standing.iter().all(|(key, digest)| now[key] == *digest), "{when}");
        ground.assert_sound(&when).await;
    }
}

#[tokio::test]
async fn what_was_deleted_is_signed_anew_under_another_id() {
    let ground = ground();
    let id = arrived(&ground, "redacted").await;
    ground.sound().finalise(&id, Others::Possible).await.unwrap();
    let first = ground.renditions().await;
    let file = ground.files().await[0].id;
    assert_eq!(ground.sound().send(Method::DELETE, &format!("/v1/files/{file}"), &Value::Null).await.0, 204);
    for (_, proof) in first.values() {
        assert_eq!(
            ground.sound().send(Method::DELETE, &format!("/v1/proofs/{proof}"), &Value::Null).await.0,
            204
        );
    }
    ground.clock.advance_seconds(86_401);
    ground.sound().sweep().await;
    assert!(ground.stored_renditions().await.is_empty());
    let again = arrived(&ground, "redacted").await;
    ground.sound().finalise(&again, Others::Possible).await.unwrap();
    assert_eq!(ground.assert_leading("after the second").await, RENDITIONS);
    let second = ground.renditions().await;
    let hashes = |all: &BTreeMap<String, (String, String)>| {
        all.values().map(|(sha256, _)| sha256.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(hashes(&first).is_disjoint(&hashes(&second)));
}

/// The number of IDs that the manifests of a rendition can have.
const IDS: u32 = 100;

impl Ground {
    /// The IDs that the manifests of a rendition can have, in their order, by the bytes that were signed.
    fn manifest_ids(&self, blob: &BlobId, name: &RenditionName, signed: &[u8]) -> Vec<ManifestId> {
        let mark = signed.windows(MARK.len()).position(|part| part == MARK.as_bytes()).unwrap();
        let unsigned = Digest::of(&signed[..mark]);
        let files = self.use_cases();
        let id = |life| files.settings().link_keys.manifest_of(blob, name, &unsigned, life);
        (0..IDS).map(|life| id(life).unwrap()).collect()
    }

    /// Commits that a manifest was deleted.
    async fn commit_deleted(&self, id: ManifestId) {
        let row = Row::Manifest(ManifestRow {
            id,
            version: 1,
            state: State::Deleted(self.clock.now()),
            tenant: Tenant::default(),
            sha256: Digest::of(b"a deleted manifest"),
            length: 18,
            holders: 0,
            standalone: false,
            imported: false,
            generation: 1,
            visibility: Visibility::Public,
            void: false,
        });
        assert_eq!(self.index.commit(&[Write { row, expected: None }]).await.unwrap(), Commit::Done);
    }
}

#[tokio::test]
async fn a_rendition_without_a_free_id_is_bound_and_the_others_are_signed() {
    // The IDs follow from content and names, so that they are the same in another store.
    let model = ground();
    let id = arrived(&model, "redacted").await;
    model.sound().finalise(&id, Others::Possible).await.unwrap();
    let ground = ground();
    let mut expected = BTreeMap::new();
    // One rendition has no ID left, another has the last one left, and the others have all of them.
    let used_up = [IDS, IDS - 1, 0, 0];
    for (key, used_up) in model.stored_renditions().await.into_keys().zip(used_up) {
        let parsed: ObjectKey = key.parse().unwrap();
        let body = model.objects.get(&parsed).await.unwrap().unwrap().body;
        let ObjectKey::Media(MediaKey::Rendition(blob, name)) = parsed else { panic!("{key}") };
        let mut ids = ground.manifest_ids(&blob, &name, &body).into_iter();
        for id in ids.by_ref().take(used_up as usize) {
            ground.commit_deleted(id).await;
        }
        expected.insert(key, ids.next());
    }
    assert_eq!(expected.len(), RENDITIONS);
    let id = arrived(&ground, "redacted").await;
    ground.sound().finalise(&id, Others::Possible).await.unwrap();
    assert_eq!(ground.upload(&id).await.state.name(), "ready");
    ground.assert_sound("without a free ID").await;
    let proofs: BTreeMap<_, _> = ground.renditions().await.into_values().collect();
    for (key, digest) in ground.stored_renditions().await {
        let (status, record) = ground.get(&format!("/v1/proofs/{}", proofs[&digest.to_string()])).await;
        assert_eq!(status, 200, "{key}: {record}");
        match &expected[&key] {
            Some(id) => assert_eq!(record["manifest"]["id"], json!(id), "{key}"),
            None => assert_eq!(record["manifest"]["json"]["relation"], "rendition", "{key}: {record}"),
        }
    }
    assert_eq!(ground.live_proofs().await, RENDITIONS);
}

#[tokio::test]
async fn a_refusal_of_the_signer_rejects_or_binds_as_the_collection_says() {
    let failure = Failure { provider: "key", kind: FailureKind::Unavailable, message: "away".to_owned() };
    for (refusal, collection, expected) in [
        (NotSigned::Location, "refused", "rejected"),
        (NotSigned::Location, "redacted", "ready"),
        (NotSigned::Location, "bound", "ready"),
        (NotSigned::Unable("no".to_owned()), "refused", "ready"),
        (NotSigned::Failed(failure), "redacted", "received"),
    ] {
        let when = format!("{refusal:?} in {collection}");
        let mut ground = ground();
        ground.signer = Some(Arc::new(Signs { refusal: Some(refusal), ..Signs::default() }));
        let id = arrived(&ground, collection).await;
        let ended = ground.sound().finalise(&id, Others::Possible).await;
        assert_eq!(ground.upload(&id).await.state.name(), expected, "{when}");
        assert_eq!(ended.is_err(), expected == "received", "{when}: {ended:?}");
        if expected == "ready" {
            for (_, proof) in ground.renditions().await.values() {
                let (_, record) = ground.get(&format!("/v1/proofs/{proof}")).await;
                assert_eq!(record["manifest"]["json"]["relation"], "rendition", "{when}: {record}");
            }
            assert_eq!(ground.live_proofs().await, RENDITIONS, "{when}");
        } else {
            assert!(ground.stored_renditions().await.is_empty(), "{when}");
            assert_eq!(ground.live_proofs().await, 0, "{when}");
        }
        // Once the key is back, the upload is finished.
        if expected == "received" {
            ground.signer = Some(Arc::new(Signs::default()));
            ground.sound().finalise(&id, Others::None).await.unwrap();
            assert_eq!(ground.assert_leading(&when).await, RENDITIONS);
        }
    }
}

#[tokio::test]
async fn a_rendition_that_was_bound_stays_so() {
    let mut ground = ground();
    let signer = ground.signer.take();
    let first = arrived(&ground, "redacted").await;
    ground.sound().finalise(&first, Others::Possible).await.unwrap();
    let (seen, stored) = (ground.renditions().await, ground.stored_renditions().await);
    ground.signer = signer;
    let second = arrived(&ground, "redacted").await;
    ground.sound().finalise(&second, Others::Possible).await.unwrap();
    assert_eq!(ground.stored_renditions().await, stored);
    assert_eq!(ground.live_proofs().await, RENDITIONS);
    let proofs: Vec<_> = seen.values().map(|(_, proof)| proof.clone()).collect();
    for row in ground.files().await {
        let (_, file) = ground.get(&format!("/v1/files/{}", row.id)).await;
        for rendition in file["renditions"].as_array().unwrap() {
            assert!(proofs.iter().any(|proof| rendition["proof"] == json!(proof)), "{rendition}");
        }
    }
}

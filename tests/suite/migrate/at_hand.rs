//! A directly opened CredLink as the destination of a migration: exact after every fault, and every planted damage gets
//! its verdict.

use std::pin::pin;

use bytes::Bytes;
use credlink_auth::tokens::Trusted;
use credlink_cache::NoCache;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::legacy::LegacyRecord;
use credlink_core::manifest::Manifest;
use credlink_core::media_type::TOMBSTONE_TYPE;
use credlink_core::object::{Attributes, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::LegacyItemRow;
use credlink_core::rules::store::{Draft, Origin};
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_core::time::Timestamp;
use credlink_metrics::counters::Counters;
use credlink_migrate_service::ServiceDestination;
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::faults::{FaultPlan, Faulty, Flavour};
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::migration::ledger::CopiedItem;
use credlink_ports::migration::proof_content::ProofContent;
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{
    Depth, Destination as _, ExistingState, Imported, ItemRows as _, Verdict, Withdrawal,
};
use credlink_ports::{Condition, Index as _, Objects as _, Parts, Put};
use credlink_service::fsck::{Severity, fsck};
use credlink_service::{Service, ServiceSettings};

use super::ground::payload;

use crate::faults::gate::{Gate, Gated};

/// A port whose calls can fail, or stop.
type Stopped<T> = Faulty<Gated<T>>;
type Ports = Parts<Stopped<MemoryObjects>, Stopped<MemoryIndex>, NoCache, ManualClock, Counters, Trusted>;
type Destination = ServiceDestination<Ports>;

/// The contents of the destination. Every destination opened on it is a process of its own.
#[derive(Clone)]
struct Store {
    objects: MemoryObjects,
    index: MemoryIndex,
    clock: ManualClock,
    /// `true` if the index is on the machine of the destination, and `false` if it is a table in a cloud.
    has_index_at_hand: bool,
}

impl Store {
    fn new() -> Self {
        Self::with_index(false)
    }

    fn with_index(at_hand: bool) -> Self {
        let clock = ManualClock::at("2026-01-01T12:00:00Z".parse().unwrap());
        let objects = MemoryObjects::with_clock(clock.clone());
        Self { objects, index: MemoryIndex::new(), clock, has_index_at_hand: at_hand }
    }

    fn open(&self) -> Destination {
        self.failing(FaultPlan::none())
    }

    fn failing(&self, plan: FaultPlan) -> Destination {
        self.behind(&Gate::open(), plan)
    }

    fn behind(&self, gate: &Gate, plan: FaultPlan) -> Destination {
        let parts = Parts {
            objects: Faulty::new(Gated::new(self.objects.clone(), gate.clone()), plan.clone()),
            index: Faulty::new(Gated::new(self.index.clone(), gate.clone()), plan),
            cache: NoCache,
            clock: self.clock.clone(),
            events: Counters::default(),
            authenticator: Trusted,
            jobs: NoJobs,
        };
        let settings = ServiceSettings {
            public_url: "http://x".to_owned(),
            notice_on_read: self.has_index_at_hand,
            ..ServiceSettings::default()
        };
        ServiceDestination::new(Service::new(parts, settings).unguarded().into(), None)
    }

    async fn assert_sound(&self) {
        let mut broken = Vec::new();
        fsck(self.open().service(), |finding| {
            if finding.severity == Severity::Broken {
                broken.push(format!("{}: {}", finding.key, finding.what));
            }
        })
        .await
        .unwrap();
        assert_eq!(broken, [""; 0]);
    }

    /// Alters the bytes or attributes of a stored object.
    async fn plant(&self, key: &str, change: impl FnOnce(&mut Vec<u8>, &mut Attributes)) {
        let key: ObjectKey = key.parse().unwrap();
        let object = self.objects.get(&key).await.unwrap().unwrap();
        let (mut body, mut attributes) = (object.body.to_vec(), object.head.attributes);
        change(&mut body, &mut attributes);
        self.objects.delete(&key).await.unwrap();
        let put = self.objects.put(&key, Bytes::from(body), &attributes, Condition::Absent).await.unwrap();
        assert!(matches!(put, Put::Stored(_)));
    }
}

/// The draft of a legacy record, long enough to be compressed.
fn legacy(id: &str, file: &[u8], manifest: &str) -> Draft {
    let text = format!(
        r#"{{"proofId":"{id}","imageHash":"{}","manifest":{manifest},"signature":"c2ln","timestamp":1700000000000,"more":"{}"}}"#,
        MediaHash::of(file),
        "x".repeat(500)
    );
    LegacyRecord::parse(text.as_bytes()).unwrap().draft(Tenant::default())
}

/// The history of a proof: a legacy record, replaced `more` times. The first two replacements have one C2PA manifest.
fn history(more: i64) -> Vec<Draft> {
    let first = legacy("p-1", b"file", r#"{"a":1}"#);
    let mut drafts = vec![first.clone()];
    for number in 1..=more {
        let id = format!("urn:c2pa:{}", number.max(2));
        let bytes = Bytes::from(manifest_store(&id, MediaHash::of(b"file").digest()));
        let origin = Origin {
            created: Timestamp::from_milliseconds(1_700_000_000_000 + number),
            legacy: None,
            ..first.origin.clone().unwrap()
        };
        drafts.push(Draft {
            manifest: Manifest::c2pa(bytes).unwrap(),
            origin: Some(origin),
            ..first.clone()
        });
    }
    drafts
}

/// A replacement for the last record of a history, with a manifest that does not compress.
fn unpackable(drafts: &[Draft]) -> Draft {
    let noise: Vec<u8> = (0..80_u8).flat_map(|number| *Digest::of(&[number]).as_bytes()).collect();
    let mut bytes = manifest_store("urn:c2pa:noise", MediaHash::of(b"file").digest());
    // A further box, of a kind that no parser reads.
    bytes.extend([&u32::try_from(8 + noise.len()).unwrap().to_be_bytes(), b"free", &*noise].concat());
    let length = u32::try_from(bytes.len()).unwrap();
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    let origin = drafts.last().and_then(|last| last.origin.clone()).unwrap();
    let origin = Origin { created: origin.created.plus_seconds(1), ..origin };
    let manifest = Manifest::c2pa(Bytes::from(bytes)).unwrap();
    Draft { manifest, origin: Some(origin), ..drafts[0].clone() }
}

fn stored(outcome: Imported) -> CopiedItem {
    match outcome {
        Imported::Stored(copy) => copy,
        other => panic!("{other:?}"),
    }
}

/// Asserts that the copy describes the stored objects byte for byte.
async fn assert_as_stored(store: &Store, copy: &CopiedItem) {
    for object in &copy.objects {
        let there = store.objects.get(&object.key.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(object.stored, Some(Digest::of(&there.body)), "{}", object.key);
        assert_eq!(object.coding, there.head.attributes.content_encoding, "{}", object.key);
        assert_eq!(there.head.attributes.metadata["sha256"], object.content.to_string());
    }
}

#[tokio::test]
async fn a_history_is_taken_over_once_and_goes_on() {
    let (store, drafts) = (Store::new(), history(3));
    let destination = store.open();
    let id = drafts[0].id();
    assert_eq!(destination.find(&Target::Proof(id)).await.unwrap(), ExistingState::Absent);
    for end in [1, 1, 2, 4, 4] {
        let copy = stored(destination.import(&payload(&drafts[..end])).await.unwrap());
        assert_eq!(
            destination.find(&Target::Proof(id)).await.unwrap(),
            ExistingState::Live(Some(ProofContent::of(&drafts[end - 1])))
        );
        assert_as_stored(&store, &copy).await;
        for depth in [Depth::Checksum, Depth::Content] {
            assert_eq!(destination.verify(&copy, depth).await.unwrap(), Verdict::Verified { by: depth });
        }
        let revisions = end;
        let manifests = [0, 0, 1, 1, 2][end];
        assert_eq!(copy.objects.len(), revisions + manifests, "{:?}", copy.objects);
        assert_eq!(copy.legacy.as_ref().map(ToString::to_string).as_deref(), Some("p-1"));
    }
    assert_eq!(store.index.totals().await.unwrap().proofs, 1);
    assert_eq!(destination.list(None, 10).await.unwrap().items, [id]);
    store.assert_sound().await;
}

#[tokio::test]
async fn what_is_there_already_is_told_apart() {
    let store = Store::new();
    let destination = store.open();
    let first = legacy("p-1", b"file", r#"{"a":1}"#);
    stored(destination.import(&payload(std::slice::from_ref(&first))).await.unwrap());
    // Another ID for the same proof.
    let equal = legacy("p-2", b"file", r#"{"a":1}"#);
    let Imported::Equal(copy) = destination.import(&payload(&[equal])).await.unwrap() else { panic!() };
    assert!(!copy.exact);
    assert!(matches!(destination.verify(&copy, Depth::Checksum).await.unwrap(), Verdict::Verified { .. }));
    // Another manifest, whose ID leads nowhere.
    let other = legacy("p-3", b"file", r#"{"a":2}"#);
    let outcome = destination.import(&payload(&[other])).await.unwrap();
    assert!(matches!(&outcome, Imported::Conflict { detail } if detail.contains("manifest")), "{outcome:?}");
    // An ID that is taken.
    let taken = legacy("p-2", b"another file", "{}");
    let outcome = destination.import(&payload(std::slice::from_ref(&taken))).await.unwrap();
    assert!(matches!(&outcome, Imported::Refused { kind, .. } if kind == "alias-conflict"), "{outcome:?}");
    assert_eq!(destination.find(&Target::Proof(taken.id())).await.unwrap(), ExistingState::Absent);
    store.assert_sound().await;
}

#[tokio::test]
async fn what_was_withdrawn_comes_back_to_whoever_knows_when() {
    let (store, mut drafts) = (Store::new(), history(2));
    let destination = store.open();
    let copy = stored(destination.import(&payload(&drafts)).await.unwrap());
    let at = Timestamp::from_milliseconds(7);
    assert_eq!(destination.withdraw(&copy, at).await.unwrap(), Withdrawal::Deleted(at));
    assert_eq!(destination.find(&copy.target).await.unwrap(), ExistingState::Deleted(at));
    // The same withdrawal again gets the same answer as the first. Another one finds a deletion that is not its own.
    assert_eq!(store.open().withdraw(&copy, at).await.unwrap(), Withdrawal::Deleted(at));
    assert_eq!(destination.withdraw(&copy, at.plus_seconds(1)).await.unwrap(), Withdrawal::Touched);
    assert!(matches!(destination.verify(&copy, Depth::Checksum).await.unwrap(), Verdict::Changed(_)));
    for restores in [None, Some(at.plus_seconds(1))] {
        drafts[0].origin.as_mut().unwrap().restores = restores;
        assert_eq!(destination.import(&payload(&drafts)).await.unwrap(), Imported::Deleted(at));
    }
    drafts[0].origin.as_mut().unwrap().restores = Some(at);
    let copy = stored(destination.import(&payload(&drafts)).await.unwrap());
    let verdict = destination.verify(&copy, Depth::Checksum).await.unwrap();
    // A manifest that was deleted before is stored in another form, which the copy does not know.
    assert_eq!(verdict, Verdict::Verified { by: Depth::Content });
    assert_eq!(stored(destination.import(&payload(&drafts)).await.unwrap()), copy);
    store.assert_sound().await;
}

#[tokio::test]
async fn what_somebody_touched_is_left_alone() {
    let (store, drafts) = (Store::new(), history(3));
    let destination = store.open();
    let copy = stored(destination.import(&payload(&drafts[..1])).await.unwrap());
    stored(destination.import(&payload(&drafts[..2])).await.unwrap());
    let at = Timestamp::from_milliseconds(7);
    assert_eq!(destination.withdraw(&copy, at).await.unwrap(), Withdrawal::Touched);
    assert!(matches!(destination.verify(&copy, Depth::Content).await.unwrap(), Verdict::Changed(_)));
    let nobody = CopiedItem {
        target: Target::Proof(ProofId::derive(&Tenant::default(), &MediaHash::of(b"?"))),
        ..copy
    };
    assert_eq!(destination.withdraw(&nobody, at).await.unwrap(), Withdrawal::Absent);
    assert!(matches!(destination.verify(&nobody, Depth::Checksum).await.unwrap(), Verdict::Missing(_)));
}

/// Each write and each read of an import fails once, with or without effect, and another process continues.
#[tokio::test]
async fn a_fault_at_any_call_of_a_take_over_is_mended_by_the_next() {
    for at_hand in [false, true] {
        a_fault_at_any_call_is_mended_with_an_index(at_hand).await;
    }
}

async fn a_fault_at_any_call_is_mended_with_an_index(at_hand: bool) {
    let drafts = history(2);
    let clean = Store::with_index(at_hand);
    let plan = FaultPlan::none();
    let expected = stored(clean.failing(plan.clone()).import(&payload(&drafts)).await.unwrap());
    let plans = (1..=plan.writes())
        .flat_map(|n| [FaultPlan::at(n, Flavour::Lost), FaultPlan::at(n, Flavour::Kept)])
        .chain((1..=plan.reads()).map(FaultPlan::read_at));
    for plan in plans {
        let store = Store::with_index(at_hand);
        let first = store.failing(plan.clone()).import(&payload(&drafts)).await;
        assert!(first.is_err() || stored(first.unwrap()) == expected, "{plan:?}");
        let destination = store.open();
        assert_eq!(stored(destination.import(&payload(&drafts)).await.unwrap()), expected, "{plan:?}");
        let verdict = destination.verify(&expected, Depth::Content).await.unwrap();
        assert_eq!(verdict, Verdict::Verified { by: Depth::Content }, "{plan:?}");
        assert_eq!(store.index.totals().await.unwrap().proofs, 1, "{plan:?}");
        store.assert_sound().await;
    }
}

/// Another process brings the same legacy ID before or after any call of an import. One of the two gets it, and is told
/// so.
#[tokio::test]
async fn a_legacy_id_that_two_imports_bring_leads_to_the_one_that_is_stored() {
    let mut calls = Vec::new();
    for at_hand in [false, true] {
        let (mut stops, mut won, mut lost_late) = (0, 0, 0);
        loop {
            let store = Store::with_index(at_hand);
            let others = store.open();
            let (ours, theirs) = (legacy("p-1", b"file", "{}"), legacy("p-1", b"another", "{}"));
            let gate = Gate::around(stops);
            let destination = store.behind(&gate, FaultPlan::none());
            let ours_only = payload(std::slice::from_ref(&ours));
            let mut import = pin!(destination.import(&ours_only));
            if gate.run(import.as_mut()).is_some() {
                break;
            }
            let their_outcome = others.import(&payload(std::slice::from_ref(&theirs))).await.unwrap();
            gate.lift();
            let our_outcome = gate.run(import).unwrap().unwrap();
            let (winner, loser, winner_id) = if matches!(our_outcome, Imported::Stored(_)) {
                won += 1;
                (our_outcome, their_outcome, ours.id())
            } else {
                let is_stored = others.find(&Target::Proof(ours.id())).await.unwrap();
                lost_late += u32::from(matches!(is_stored, ExistingState::Live(_)));
                (their_outcome, our_outcome, theirs.id())
            };
            let copy = stored(winner);
            assert!(
                matches!(&loser, Imported::Refused { kind, .. } if kind == "alias-conflict"),
                "before call {stops}: {loser:?}"
            );
            let row = others.service().alias(&"p-1".parse().unwrap()).await.unwrap().unwrap();
            assert_eq!(row.proof, winner_id, "before call {stops}");
            assert_eq!(
                others.verify(&copy, Depth::Content).await.unwrap(),
                Verdict::Verified { by: Depth::Content }
            );
            store.assert_sound().await;
            stops += 1;
        }
        // The ID may be lost after it was found to be free: then the proof is stored without it.
        assert!(lost_late > 0, "{lost_late}");
        assert!(won > 0, "{won}");
        calls.push(stops / 2);
    }
    // With an index at hand there is neither an intent, nor a commit for the ID alone.
    assert_eq!(calls[0] - calls[1], 2, "{calls:?}");
}

/// Each write and each read of a withdrawal fails once, with or without effect, and another process recognises the
/// deletion as the same.
#[tokio::test]
async fn a_fault_at_any_call_of_a_withdrawal_is_tried_again() {
    let drafts = history(2);
    let plan = FaultPlan::none();
    let clean = Store::new();
    let copy = stored(clean.open().import(&payload(&drafts)).await.unwrap());
    let at = Timestamp::from_milliseconds(7);
    clean.failing(plan.clone()).withdraw(&copy, at).await.unwrap();
    let plans = (1..=plan.writes())
        .flat_map(|n| [FaultPlan::at(n, Flavour::Lost), FaultPlan::at(n, Flavour::Kept)])
        .chain((1..=plan.reads()).map(FaultPlan::read_at));
    for plan in plans {
        let store = Store::new();
        let copy = stored(store.open().import(&payload(&drafts)).await.unwrap());
        let mut outcome = store.failing(plan.clone()).withdraw(&copy, at).await;
        if outcome.is_err() {
            outcome = store.open().withdraw(&copy, at).await;
        }
        assert_eq!(outcome.unwrap(), Withdrawal::Deleted(at), "{plan:?}");
        assert_eq!(store.open().find(&copy.target).await.unwrap(), ExistingState::Deleted(at), "{plan:?}");
        store.assert_sound().await;
    }
}

/// A write whose answer was lost is recognised, and a caller that writes something else must know the present row.
#[tokio::test]
async fn the_row_of_a_legacy_item_changes_step_by_step() {
    let store = Store::new();
    let row = LegacyItemRow { proof: history(1)[0].id(), version: 1, item: "a".to_owned() };
    assert!(store.failing(FaultPlan::at(1, Flavour::Kept)).keep_item(&row).await.is_err());
    let destination = store.open();
    assert!(destination.keep_item(&row).await.unwrap());
    assert_eq!(destination.item_row(&row.proof).await.unwrap().as_ref(), Some(&row));
    let other = LegacyItemRow { item: "b".to_owned(), ..row.clone() };
    assert!(!destination.keep_item(&other).await.unwrap());
    let next = LegacyItemRow { version: 2, ..other };
    assert!(destination.keep_item(&next).await.unwrap());
    assert!(!destination.keep_item(&row).await.unwrap());
    assert_eq!(destination.item_row(&row.proof).await.unwrap(), Some(next));
}

#[tokio::test]
async fn every_planted_damage_has_its_verdict() {
    type Damage = fn(&mut Vec<u8>, &mut Attributes);
    let flipped: Damage = |body, _| body[20] ^= 1;
    let cut: Damage = |body, _| body.truncate(body.len() - 1);
    let said_packed: Damage = |_, attributes| attributes.content_encoding = Some("gzip".to_owned());
    let said_plain: Damage = |_, attributes| attributes.content_encoding = None;
    let renamed: Damage = |_, attributes| {
        attributes.metadata.insert("sha256".to_owned(), Digest::of(b"x").to_string());
    };
    let swapped: Damage = |body, attributes| {
        *body = b"another content, whole and told right".to_vec();
        attributes.content_encoding = None;
        attributes.metadata.insert("sha256".to_owned(), Digest::of(body).to_string());
        attributes.metadata.insert("length".to_owned(), body.len().to_string());
    };
    let said_deleted: Damage = |_, attributes| attributes.content_type = TOMBSTONE_TYPE.to_owned();
    for depth in [Depth::Checksum, Depth::Content] {
        for (name, damage, class) in [
            ("flipped", flipped, "corrupted"),
            ("cut", cut, "corrupted"),
            ("said to be packed", said_packed, "encoding"),
            ("said to be plain", said_plain, "encoding"),
            ("said to be another", renamed, "corrupted"),
            ("swapped", swapped, "corrupted"),
            ("said to be deleted", said_deleted, "missing"),
        ] {
            let (store, mut drafts) = (Store::new(), history(2));
            drafts.push(unpackable(&drafts));
            let destination = store.open();
            let copy = stored(destination.import(&payload(&drafts)).await.unwrap());
            assert!(copy.objects.iter().any(|object| object.coding.is_none()), "one is not packed");
            for object in &copy.objects {
                let is_packed = object.coding.is_some();
                if name == "said to be packed" && is_packed || name == "said to be plain" && !is_packed {
                    continue;
                }
                let before = store.objects.get(&object.key.parse().unwrap()).await.unwrap().unwrap();
                store.plant(&object.key, damage).await;
                let verdict = destination.verify(&copy, depth).await.unwrap();
                let found = match &verdict {
                    Verdict::Corrupted(detail) if detail.contains(&object.key) => "corrupted",
                    Verdict::EncodingDiffers(detail) if detail.contains(&object.key) => "encoding",
                    Verdict::Missing(detail) if detail.contains(&object.key) => "missing",
                    _ => "other",
                };
                assert_eq!(found, class, "{name} {}: {verdict:?}", object.key);
                let (body, attributes) = (before.body.to_vec(), before.head.attributes);
                store
                    .plant(&object.key, |there, said| {
                        *there = body;
                        *said = attributes;
                    })
                    .await;
                assert!(matches!(destination.verify(&copy, depth).await.unwrap(), Verdict::Verified { .. }));
            }
            // An object that is gone.
            for object in &copy.objects {
                let key: ObjectKey = object.key.parse().unwrap();
                let before = store.objects.get(&key).await.unwrap().unwrap();
                store.objects.delete(&key).await.unwrap();
                let verdict = destination.verify(&copy, depth).await.unwrap();
                assert!(
                    matches!(&verdict, Verdict::Missing(detail) if detail.contains(&object.key)),
                    "{verdict:?}"
                );
                store
                    .objects
                    .put(&key, before.body, &before.head.attributes, Condition::Absent)
                    .await
                    .unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_legacy_id_that_leads_elsewhere_is_seen() {
    let store = Store::new();
    let destination = store.open();
    let copy = stored(destination.import(&payload(&[legacy("p-1", b"file", "{}")])).await.unwrap());
    let lost = CopiedItem { legacy: Some("p-2".parse().unwrap()), ..copy.clone() };
    assert!(matches!(destination.verify(&lost, Depth::Checksum).await.unwrap(), Verdict::Missing(_)));
    stored(destination.import(&payload(&[legacy("p-2", b"another", "{}")])).await.unwrap());
    assert!(matches!(destination.verify(&lost, Depth::Checksum).await.unwrap(), Verdict::Changed(_)));
    assert!(matches!(destination.verify(&copy, Depth::Checksum).await.unwrap(), Verdict::Verified { .. }));
}

/// Another caller replaces or deletes a proof between two calls of its verification, which is not damage.
#[tokio::test]
async fn who_changes_a_proof_while_it_is_verified_damages_nothing() {
    for (depth, deletes) in
        [(Depth::Checksum, false), (Depth::Checksum, true), (Depth::Content, false), (Depth::Content, true)]
    {
        let mut stops = 0;
        loop {
            let (store, drafts) = (Store::new(), history(3));
            let others = store.open();
            let copy = stored(others.import(&payload(&drafts[..3])).await.unwrap());
            let gate = Gate::before(stops);
            let destination = store.behind(&gate, FaultPlan::none());
            let mut verification = pin!(destination.verify(&copy, depth));
            if gate.run(verification.as_mut()).is_some() {
                break;
            }
            if deletes {
                let at = Timestamp::from_milliseconds(7);
                assert_eq!(others.withdraw(&copy, at).await.unwrap(), Withdrawal::Deleted(at));
            } else {
                stored(others.import(&payload(&drafts)).await.unwrap());
            }
            gate.lift();
            let verdict = gate.run(verification).unwrap().unwrap();
            let is_right = matches!(verdict, Verdict::Verified { .. } | Verdict::Changed(_));
            assert!(is_right, "{depth:?}, deleted: {deletes}, before call {stops}: {verdict:?}");
            stops += 1;
        }
        assert!(stops > 4, "{stops}");
    }
}

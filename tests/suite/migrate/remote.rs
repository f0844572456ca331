//! Another CredLink as a destination: a real server, used through its API.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::legacy::LegacyRecord;
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::rules::store::{Draft, Origin};
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_core::time::Timestamp;
use credlink_migrate_io::destination::remote::Remote;
use credlink_ports::FailureKind;
use credlink_ports::migration::ledger::CopiedItem;
use credlink_ports::migration::proof_content::ProofContent;
use credlink_ports::migration::target::{ManifestDraft, Payload, Target};
use credlink_ports::migration::{Depth, Destination as _, ExistingState, Imported, Verdict, Withdrawal};
use serde_json::json;

use crate::gateway;
use crate::migrate::ground::{id, legacy, payload};
use crate::server::Server;

fn remote(server: &Server) -> Remote {
    Remote::new(server.url(), None).unwrap()
}

fn draft(name: &str) -> Draft {
    LegacyRecord::parse(legacy(name).as_bytes()).unwrap().draft(Tenant::default())
}

/// Three revisions of a proof: JSON, C2PA, JSON.
fn history(name: &str) -> Vec<Draft> {
    let store = manifest_store("urn:c2pa:second", &Digest::of(name.as_bytes()));
    let next = |manifest, created| Draft {
        manifest,
        tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        origin: Some(Origin {
            created: Timestamp::from_milliseconds(created),
            expires: Timestamp::from_milliseconds(i64::MAX),
            legacy: None,
            restores: None,
            manifest_visibility: None,
        }),
        ..draft(name)
    };
    let second = next(Manifest::c2pa(store.into()).unwrap(), 1_780_000_000_000);
    let third = next(Manifest::json(Bytes::from_static(b" {\"third\":3.0}\n")).unwrap(), 1_790_000_000_000);
    vec![draft(name), second, Draft { signature: None, ..third }]
}

async fn stored(remote: &Remote, drafts: &[Draft]) -> CopiedItem {
    match remote.import(&payload(drafts)).await.unwrap() {
        Imported::Stored(copy) => copy,
        other => panic!("{other:?}"),
    }
}

async fn assert_verified(remote: &Remote, copy: &CopiedItem) {
    for depth in [Depth::Checksum, Depth::Content] {
        assert_eq!(remote.verify(copy, depth).await.unwrap(), Verdict::Verified { by: depth });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_record_is_taken_over_found_verified_withdrawn_and_restored() {
    let server = Server::start();
    let remote = remote(&server);
    let draft = draft("a");
    assert_eq!(remote.find(&Target::Proof(id("a"))).await.unwrap(), ExistingState::Absent);
    let copy = stored(&remote, std::slice::from_ref(&draft)).await;
    let record = draft.record(1, Timestamp::from_milliseconds(0)).to_bytes();
    assert_eq!((&copy.target, copy.exact), (&Target::Proof(id("a")), true));
    assert_eq!(copy.legacy.as_ref().map(|legacy| legacy.as_str()), Some("old-a"));
    assert_eq!(copy.objects[0].content, Digest::of(&record), "the record is what the draft makes");
    assert_eq!(server.get_bytes(&format!("/v1/proofs/{}", id("a"))), record);
    assert_eq!(server.leads_to("/v1/proofs/old-a"), id("a").to_string());
    let content = ExistingState::Live(Some(ProofContent::of(&draft)));
    assert_eq!(remote.find(&Target::Proof(id("a"))).await.unwrap(), content);
    assert_verified(&remote, &copy).await;
    assert_eq!(stored(&remote, std::slice::from_ref(&draft)).await, copy, "once more is no more");
    assert_eq!(remote.list(None, 10).await.unwrap().items, [id("a")]);

    let at = Timestamp::from_milliseconds(7);
    assert_eq!(remote.withdraw(&copy, at).await.unwrap(), Withdrawal::Deleted(at));
    assert_eq!(remote.find(&Target::Proof(id("a"))).await.unwrap(), ExistingState::Deleted(at));
    assert!(matches!(remote.verify(&copy, Depth::Checksum).await.unwrap(), Verdict::Changed(_)));
    assert_eq!(
        remote.withdraw(&copy, at).await.unwrap(),
        Withdrawal::Deleted(at),
        "a lost answer is told again"
    );
    let later = remote.withdraw(&copy, at.plus_seconds(1)).await.unwrap();
    assert_eq!(later, Withdrawal::Touched, "it was deleted before");
    assert!(remote.list(None, 10).await.unwrap().items.is_empty());
    let again = remote.import(&payload(std::slice::from_ref(&draft))).await.unwrap();
    assert_eq!(again, Imported::Deleted(at), "deleted stays deleted");
    let mut restored = draft;
    restored.origin.as_mut().unwrap().restores = Some(at);
    let copy = stored(&remote, &[restored]).await;
    assert_verified(&remote, &copy).await;
    let never = CopiedItem { target: Target::Proof(id("never")), ..copy };
    let objects = never.objects.iter().cloned().map(|mut object| {
        object.key = format!("proofs/{}", id("never"));
        object
    });
    let never = CopiedItem { objects: objects.collect(), ..never.clone() };
    assert_eq!(remote.withdraw(&never, at).await.unwrap(), Withdrawal::Absent);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_there_already_is_told_apart() {
    let server = Server::start();
    let remote = remote(&server);
    let ours = draft("a");
    stored(&remote, std::slice::from_ref(&ours)).await;
    let mut later = ours.clone();
    later.origin.as_mut().unwrap().created = Timestamp::from_milliseconds(1_800_000_000_000);
    later.origin.as_mut().unwrap().legacy.as_mut().unwrap().id = "copy-of-a".parse().unwrap();
    match remote.import(&payload(&[later])).await.unwrap() {
        Imported::Equal(copy) => {
            assert!(!copy.exact);
            assert_verified(&remote, &copy).await;
        }
        other => panic!("{other:?}"),
    }
    for legacy in ["old-a", "copy-of-a"] {
        assert_eq!(server.leads_to(&format!("/v1/proofs/{legacy}")), id("a").to_string());
    }
    let manifest = Manifest::json(Bytes::from_static(b"{\"other\":1}")).unwrap();
    for other in [Draft { manifest, ..ours.clone() }, Draft { signature: None, ..ours.clone() }] {
        match remote.import(&payload(&[other])).await.unwrap() {
            Imported::Conflict { detail } => assert!(detail.contains(&id("a").to_string()), "{detail}"),
            other => panic!("{other:?}"),
        }
    }
    let mut thief = draft("b");
    thief.origin.as_mut().unwrap().legacy.as_mut().unwrap().id = "old-a".parse().unwrap();
    let refused = |taken: Imported| match taken {
        Imported::Refused { kind, .. } => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(remote.import(&payload(&[thief])).await.unwrap()), "alias-conflict");
    let bound = |name: &str, whole: &str| {
        let store = manifest_store("urn:c2pa:one", &Digest::of(whole.as_bytes()));
        Draft { manifest: Manifest::c2pa(store.into()).unwrap(), ..draft(name) }
    };
    stored(&remote, &[bound("c", "c")]).await;
    assert_eq!(refused(remote.import(&payload(&[bound("d", "d")])).await.unwrap()), "manifest-conflict");
    assert_eq!(refused(remote.import(&payload(&[bound("e", "f")])).await.unwrap()), "binding-mismatch");
    assert_eq!(refused(remote.import(&payload(&[])).await.unwrap()), "invalid-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_gone_on_with_wherever_it_was_cut_off() {
    let server = Server::start();
    let remote = remote(&server);
    for done in 0..=3 {
        let name = format!("h{done}");
        let mut drafts = history(&name);
        // A manifest ID has only one content.
        drafts[1].manifest = history("h0")[1].manifest.clone();
        if name != "h0" {
            drafts[1].manifest = Manifest::json(Bytes::from_static(b"{\"second\":2}")).unwrap();
        }
        if done > 0 {
            stored(&remote, &drafts[..done]).await;
        }
        let copy = stored(&remote, &drafts).await;
        let keys: Vec<_> = copy.objects.iter().map(|object| object.key.as_str()).collect();
        let proof = format!("proofs/{}", id(&name));
        let (first, second) = (format!("{proof}/1"), format!("{proof}/2"));
        if done == 0 {
            assert_eq!(keys, [&proof, &second, "manifests/urn%3Ac2pa%3Asecond", &first]);
        } else {
            assert_eq!(keys, [&proof, &second, &first]);
        }
        assert_verified(&remote, &copy).await;
        assert_eq!(server.leads_to(&format!("/v1/proofs/old-{name}")), id(&name).to_string());
        let latest = Draft { tags: BTreeMap::new(), ..drafts[2].clone() };
        match remote.import(&payload(&[drafts[0].clone(), latest])).await.unwrap() {
            Imported::Equal(copy) => assert!(!copy.exact),
            other => panic!("it ends as what is there: {other:?}"),
        }
        let other = remote.import(&payload(&drafts[..2])).await.unwrap();
        assert!(matches!(other, Imported::Conflict { .. }), "{other:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_touched_is_left_alone() {
    let server = Server::start();
    let remote = remote(&server);
    let copy = stored(&remote, &[draft("a")]).await;
    let path = format!("/v1/proofs/{}", id("a"));
    assert_eq!(server.replace(&path, &json!({"manifest": {"new": 1}})).0, 200);
    assert_eq!(remote.withdraw(&copy, Timestamp::from_milliseconds(7)).await.unwrap(), Withdrawal::Touched);
    match remote.verify(&copy, Depth::Content).await.unwrap() {
        Verdict::Changed(detail) => {
            assert!(detail.contains("was replaced: it has the revision 2"), "{detail}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.delete(&path), 204);
    assert_eq!(remote.withdraw(&copy, Timestamp::from_milliseconds(7)).await.unwrap(), Withdrawal::Touched);
    let body = json!({"media_hash": MediaHash::of(b"a"), "manifest": {"again": 1}});
    assert_eq!(server.post("/v1/proofs", &body).0, 201);
    match remote.verify(&copy, Depth::Checksum).await.unwrap() {
        Verdict::Changed(detail) => assert!(detail.contains("was deleted and stored again"), "{detail}"),
        other => panic!("{other:?}"),
    }
}

/// The file of an object in a data folder.
fn file(folder: &Path, name: &str) -> PathBuf {
    let mut folders = vec![folder.join("objects")];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_str() == Some(name) {
                return entry.path();
            }
        }
    }
    panic!("{name} is not there")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_planted_fault_is_found_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut copies = Vec::new();
    {
        let mut server = Server::over(folder.path(), &[]);
        for name in ["missing", "flipped", "cut", "manifest", "fine"] {
            let store = manifest_store(&format!("urn:c2pa:{name}"), &Digest::of(name.as_bytes()));
            let draft = Draft { manifest: Manifest::c2pa(store.into()).unwrap(), ..draft(name) };
            copies.push((name, stored(&remote(&server), &[draft]).await));
        }
        // In order, so that no journal brings back what is changed here.
        server.stop();
    }
    let record = |name| file(folder.path(), &id(name).to_string());
    fs::remove_file(record("missing")).unwrap();
    let path = record("flipped");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
    let path = record("cut");
    let bytes = fs::read(&path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 7]).unwrap();
    fs::remove_file(file(folder.path(), "urn=c2pa=manifest")).unwrap();

    let server = Server::over(folder.path(), &[]);
    let remote = remote(&server);
    for (name, copy) in copies {
        for depth in [Depth::Checksum, Depth::Content] {
            let verdict = remote.verify(&copy, depth).await.unwrap();
            let is_right = match name {
                "missing" | "manifest" => matches!(verdict, Verdict::Missing(_)),
                "flipped" | "cut" => matches!(verdict, Verdict::Corrupted(_)),
                _ => verdict == Verdict::Verified { by: depth },
            };
            assert!(is_right, "{name}: {verdict:?}");
        }
        if name == "fine" {
            let nowhere = CopiedItem { legacy: Some("old-nowhere".parse().unwrap()), ..copy.clone() };
            let elsewhere = CopiedItem { legacy: Some("old-cut".parse().unwrap()), ..copy };
            assert!(matches!(remote.verify(&nowhere, Depth::Checksum).await.unwrap(), Verdict::Missing(_)));
            assert!(matches!(remote.verify(&elsewhere, Depth::Checksum).await.unwrap(), Verdict::Changed(_)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn private_proofs_are_taken_over_by_a_credential_that_may() {
    let token = "the token of an administrator";
    let entry = |name: &str, token: &str, scope: &str| json!({"name": name, "sha256": Digest::of(token.as_bytes()), "tenant": "default", "scopes": [scope]});
    let tokens = json!([entry("admin", token, "admin"), entry("signer", "a signer", "store:manifests")]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    fs::write(&file, tokens.to_string()).unwrap();
    let server = Server::with(folder.path(), &[], &[("CREDLINK_TOKENS", file.to_str().unwrap())]);
    let open = |token| Remote::new(server.url(), token).unwrap();
    let private = Draft { visibility: Visibility::Private, ..draft("a") };
    for weak in [None, Some("a signer"), Some("nobody")] {
        let failure = open(weak).import(&payload(std::slice::from_ref(&private))).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::AccessDenied, "{weak:?}");
    }
    let admin = open(Some(token));
    let content = ProofContent::of(&private);
    let copy = stored(&admin, &[private]).await;
    assert_verified(&admin, &copy).await;
    let found = open(None).find(&Target::Proof(id("a"))).await.unwrap();
    assert_eq!(found, ExistingState::Absent, "nobody else can tell that it is there");
    let verdict = open(None).verify(&copy, Depth::Checksum).await.unwrap();
    assert!(matches!(verdict, Verdict::Missing(_)), "{verdict:?}");
    let other: Tenant = "other".parse().unwrap();
    let elsewhere = payload(&[Draft { tenant: other.clone(), ..draft("b") }]);
    let manifest = Manifest::c2pa(manifest_store("urn:c2pa:alone", &Digest::of(b"alone")).into()).unwrap();
    let alone =
        ManifestDraft { manifest, tenant: other.clone(), visibility: Visibility::Public, restores: None };
    for payload in [&elsewhere, &Payload::Manifest(alone.clone())] {
        let failure = admin.import(payload).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::AccessDenied);
        assert!(
            failure.message.contains("not one of the tenant `other`, for which this job is"),
            "{failure}"
        );
    }
    // Nothing was stored for the credential's own tenant instead.
    assert_eq!(admin.find(&Target::Proof(id("b"))).await.unwrap(), ExistingState::Absent);
    let key = ManifestKey::new(&Tenant::default(), alone.manifest.id().unwrap());
    assert_eq!(admin.find(&Target::Manifest(key)).await.unwrap(), ExistingState::Absent);
    let signer = open(Some("a signer")).withdraw(&copy, Timestamp::from_milliseconds(7)).await.unwrap_err();
    assert_eq!(signer.kind, FailureKind::AccessDenied);
    assert_eq!(admin.find(&Target::Proof(id("a"))).await.unwrap(), ExistingState::Live(Some(content)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_404_is_a_failure_of_every_call() {
    let server = Server::start();
    let copy = stored(&remote(&server), &[draft("a")]).await;
    for address in [gateway::start(), format!("{}/v1", server.url())] {
        let remote = Remote::new(&address, None).unwrap();
        let at = Timestamp::from_milliseconds(7);
        let calls = [
            remote.find(&Target::Proof(id("a"))).await.map(drop),
            remote.find(&Target::Manifest("urn:c2pa:x".parse().unwrap())).await.map(drop),
            remote.find(&Target::Alias { id: "old-a".parse().unwrap(), proof: id("a") }).await.map(drop),
            remote.import(&payload(&[draft("a")])).await.map(drop),
            remote.verify(&copy, Depth::Checksum).await.map(drop),
            remote.verify(&copy, Depth::Content).await.map(drop),
            remote.withdraw(&copy, at).await.map(drop),
            remote.list(None, 10).await.map(drop),
        ];
        for call in calls {
            assert_eq!(call.unwrap_err().kind, FailureKind::AccessDenied, "{address}");
        }
    }
    assert_verified(&remote(&server), &copy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_a_failure_of_every_call() {
    let mut server = Server::start();
    let remote = remote(&server);
    let copy = stored(&remote, &[draft("a")]).await;
    server.kill();
    let kinds = [
        remote.find(&Target::Proof(id("a"))).await.map(drop),
        remote.import(&payload(&[draft("a")])).await.map(drop),
        remote.verify(&copy, Depth::Checksum).await.map(drop),
        remote.withdraw(&copy, Timestamp::from_milliseconds(7)).await.map(drop),
        remote.list(None, 10).await.map(drop),
    ];
    for kind in kinds {
        assert_eq!(kind.unwrap_err().kind, FailureKind::Unavailable);
    }
}

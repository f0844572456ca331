//! Manifests that are private at the source and public at the destination: they are withdrawn with a proof that is
//! imported, and stay as they are if it is not. Opened directly and through the API.

use credlink_core::access::Visibility;
use credlink_core::hash::MediaHash;
use credlink_core::legacy::LegacyRecord;
use credlink_core::manifest::Manifest;
use credlink_core::rules::store::{Draft, Origin};
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_core::time::Timestamp;
use credlink_deployment::migration::destination::AnyDestination;
use credlink_ports::migration::ledger::CopiedItem;
use credlink_ports::migration::target::{ManifestDraft, Payload};
use credlink_ports::migration::{Depth, Destination as _, Imported, Verdict, Withdrawal};

use crate::migrate::ground::{legacy, open, payload};
use crate::server::Server;

/// The public proof of a file whose content is this name, with a JSON manifest.
fn draft(name: &str) -> Draft {
    LegacyRecord::parse(legacy(name).as_bytes()).unwrap().draft(Tenant::default())
}

fn manifest(name: &str) -> Manifest {
    let store = manifest_store(&format!("urn:c2pa:{name}"), MediaHash::of(name.as_bytes()).digest());
    Manifest::c2pa(store.into()).unwrap()
}

/// The same proof with a C2PA manifest.
fn signed(name: &str, visibility: Visibility) -> Draft {
    Draft { manifest: manifest(name), visibility, ..draft(name) }
}

fn restoring(draft: Draft, at: Timestamp) -> Draft {
    let origin = draft.origin.clone().unwrap();
    Draft { origin: Some(Origin { restores: Some(at), ..origin }), ..draft }
}

async fn take(to: &AnyDestination, drafts: &[Draft]) -> CopiedItem {
    match to.import(&payload(drafts)).await.unwrap() {
        Imported::Stored(copy) => copy,
        other => panic!("{other:?}"),
    }
}

/// Stores the manifest by itself as public, and returns `true` if it is then public, since a manifest has one
/// visibility.
async fn is_public(to: &AnyDestination, name: &str) -> bool {
    let manifest_draft = ManifestDraft {
        manifest: manifest(name),
        tenant: Tenant::default(),
        visibility: Visibility::Public,
        restores: None,
    };
    match to.import(&Payload::Manifest(manifest_draft)).await.unwrap() {
        Imported::Stored(_) => true,
        Imported::Refused { kind, .. } if kind == "visibility-conflict" => false,
        other => panic!("{other:?}"),
    }
}

/// A skipped or failed item withdraws nothing.
async fn stays(to: &AnyDestination) {
    // The proof was deleted at the destination, where its manifest is by itself.
    let at = Timestamp::from_milliseconds(7);
    assert!(is_public(to, "deleted").await);
    let copy = take(to, &[signed("deleted", Visibility::Public)]).await;
    assert_eq!(to.withdraw(&copy, at).await.unwrap(), Withdrawal::Deleted(at));
    let private = signed("deleted", Visibility::Private);
    let again = restoring(private.clone(), at.plus_seconds(1));
    for draft in [private.clone(), again] {
        assert_eq!(to.import(&payload(&[draft])).await.unwrap(), Imported::Deleted(at));
        assert!(is_public(to, "deleted").await);
    }
    take(to, &[restoring(private, at)]).await;
    assert!(
        !is_public(to, "deleted").await,
        "who knows when it was deleted brings it back as it is at the source"
    );

    // Another proof of the media file is there: alone, or at the end of another history.
    take(to, &[draft("conflict")]).await;
    assert!(is_public(to, "conflict").await);
    let first = Draft { signature: None, ..draft("conflict") };
    let private = signed("conflict", Visibility::Private);
    for drafts in [&[private.clone()][..], &[first, private]] {
        let outcome = to.import(&payload(drafts)).await.unwrap();
        assert!(matches!(outcome, Imported::Conflict { .. }), "{outcome:?}");
        assert!(is_public(to, "conflict").await);
    }

    // The same proof is there and public.
    take(to, &[signed("shown", Visibility::Public)]).await;
    let outcome = to.import(&payload(&[signed("shown", Visibility::Private)])).await.unwrap();
    assert!(
        matches!(&outcome, Imported::Conflict { detail } if detail.contains("it is public")),
        "{outcome:?}"
    );
    assert!(is_public(to, "shown").await);

    // Its legacy ID belongs to another proof.
    assert!(is_public(to, "named").await);
    let named = signed("named", Visibility::Private);
    let origin = Origin { legacy: draft("conflict").origin.unwrap().legacy, ..named.origin.clone().unwrap() };
    let outcome = to.import(&payload(&[Draft { origin: Some(origin), ..named }])).await.unwrap();
    assert!(matches!(&outcome, Imported::Refused { kind, .. } if kind == "alias-conflict"), "{outcome:?}");
    assert!(is_public(to, "named").await);
}

/// An imported proof has private manifests where its source has them: that of its only record, and that of a record
/// that replaces another.
async fn goes(to: &AnyDestination) {
    assert!(is_public(to, "alone").await);
    let alone = take(to, &[signed("alone", Visibility::Private)]).await;
    assert!(!is_public(to, "alone").await);

    assert!(is_public(to, "replaced").await);
    let (first, last) = (draft("replaced"), signed("replaced", Visibility::Private));
    let origin = last.origin.clone().unwrap();
    let origin = Origin { created: origin.created.plus_seconds(1), legacy: None, ..origin };
    let replaced = take(to, &[first, Draft { origin: Some(origin), ..last }]).await;
    assert!(!is_public(to, "replaced").await);

    for copy in [alone, replaced] {
        for depth in [Depth::Checksum, Depth::Content] {
            let verdict = to.verify(&copy, depth).await.unwrap();
            assert!(matches!(verdict, Verdict::Verified { .. }), "{verdict:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_hand_a_manifest_is_withdrawn_with_its_proof_alone() {
    let folder = tempfile::tempdir().unwrap();
    let to = open(&format!("dir:{}", folder.path().join("data").display())).await;
    stays(&to).await;
    goes(&to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_an_api_a_manifest_is_withdrawn_with_its_proof_alone() {
    let server = Server::start();
    let to = open(&format!("credlink:{}", server.url())).await;
    stays(&to).await;
    goes(&to).await;
}

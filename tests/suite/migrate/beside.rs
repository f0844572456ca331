//! The items besides proofs that a destination accepts: further IDs of proofs, and manifests for themselves. Opened
//! directly and through its API.

use credlink_core::access::Visibility;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::legacy::LegacyRecord;
use credlink_core::manifest::Manifest;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_core::time::Timestamp;
use credlink_deployment::migration::destination::AnyDestination;
use credlink_migrate_io::destination::remote::Remote;
use credlink_ports::FailureKind;
use credlink_ports::migration::ledger::CopiedItem;
use credlink_ports::migration::target::{AliasDraft, ManifestDraft, Payload, Target};
use credlink_ports::migration::{
    Depth, Destination as _, ExistingState, Imported, PROOF_MISSING, Verdict, Withdrawal,
};

use crate::migrate::ground::{id, legacy, open, payload};
use crate::server::Server;

fn draft(name: &str) -> Draft {
    LegacyRecord::parse(legacy(name).as_bytes()).unwrap().draft(Tenant::default())
}

/// A further ID for a draft's proof.
fn alias_draft(alias: &str, draft: &Draft) -> AliasDraft {
    AliasDraft {
        id: alias.parse().unwrap(),
        proof: draft.id(),
        tenant: draft.tenant.clone(),
        manifest_sha256: *draft.manifest.sha256(),
        signature: draft.signature.clone(),
    }
}

fn manifest(name: &str, file: &str) -> Manifest {
    Manifest::c2pa(manifest_store(name, MediaHash::of(file.as_bytes()).digest()).into()).unwrap()
}

fn manifest_draft(manifest: Manifest) -> ManifestDraft {
    ManifestDraft { manifest, tenant: Tenant::default(), visibility: Visibility::Public, restores: None }
}

async fn take(destination: &AnyDestination, payload: &Payload) -> CopiedItem {
    match destination.import(payload).await.unwrap() {
        Imported::Stored(copy) => copy,
        other => panic!("{other:?}"),
    }
}

async fn refused(destination: &AnyDestination, alias_draft: &AliasDraft) -> String {
    match destination.import(&Payload::Alias(alias_draft.clone())).await.unwrap() {
        Imported::Refused { kind, .. } => kind,
        Imported::Conflict { detail } => detail,
        other => panic!("{other:?}"),
    }
}

/// The instant of every withdrawal here.
const AT: fn() -> Timestamp = || Timestamp::from_milliseconds(7);

/// Withdraws an item, and returns the instant of its withdrawal.
async fn withdrawn(destination: &AnyDestination, copy: &CopiedItem) -> Timestamp {
    match destination.withdraw(copy, AT()).await.unwrap() {
        Withdrawal::Deleted(at) => at,
        other => panic!("{other:?}"),
    }
}

async fn names(to: &AnyDestination, is_here: bool) {
    let (a, b) = (draft("a"), draft("b"));
    let one = alias_draft("one", &a);
    assert_eq!(refused(to, &one).await, PROOF_MISSING);
    for draft in [&a, &b] {
        take(to, &payload(std::slice::from_ref(draft))).await;
    }
    let target = Target::Alias { id: one.id.clone(), proof: one.proof };
    assert_eq!(to.find(&target).await.unwrap(), ExistingState::Absent);
    let copy = take(to, &Payload::Alias(one.clone())).await;
    assert_eq!((&copy.target, copy.objects.len()), (&target, 0));
    assert_eq!(to.find(&target).await.unwrap(), ExistingState::Live(None));
    assert_eq!(take(to, &Payload::Alias(one.clone())).await, copy, "once more is no more");
    for depth in [Depth::Checksum, Depth::Content] {
        assert_eq!(to.verify(&copy, depth).await.unwrap(), Verdict::Verified { by: Depth::Content });
    }
    // The ID names one proof, and only in the form that the source has.
    assert_eq!(refused(to, &alias_draft("one", &b)).await, "alias-conflict");
    let other = AliasDraft { manifest_sha256: Digest::of(b"other"), ..alias_draft("two", &a) };
    assert!(refused(to, &other).await.contains("another manifest or signature"));
    let unsigned = AliasDraft { signature: None, ..alias_draft("two", &a) };
    assert!(refused(to, &unsigned).await.contains("another manifest or signature"));
    let elsewhere = Target::Alias { id: one.id.clone(), proof: b.id() };
    let elsewhere = CopiedItem { target: elsewhere, ..copy.clone() };
    assert!(matches!(to.verify(&elsewhere, Depth::Checksum).await.unwrap(), Verdict::Changed(_)));
    assert_eq!(to.withdraw(&elsewhere, AT()).await.unwrap(), Withdrawal::Touched);

    let at = withdrawn(to, &copy).await;
    assert_eq!(to.find(&target).await.unwrap(), ExistingState::Absent);
    // The API does not report that an ID was withdrawn.
    match to.verify(&copy, Depth::Checksum).await.unwrap() {
        Verdict::Changed(detail) => assert!(is_here && detail.contains("was taken back"), "{detail}"),
        Verdict::Missing(detail) => assert!(!is_here, "{detail}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(withdrawn(to, &copy).await, at, "an answer that got lost is told again");
    let never = Target::Alias { id: "never".parse().unwrap(), proof: a.id() };
    assert_eq!(
        to.withdraw(&CopiedItem { target: never, ..copy.clone() }, AT()).await.unwrap(),
        Withdrawal::Absent
    );
    take(to, &Payload::Alias(one)).await;
    assert_eq!(to.find(&target).await.unwrap(), ExistingState::Live(None));
}

async fn manifests(to: &AnyDestination, is_here: bool) {
    let alone = manifest_draft(manifest("urn:c2pa:alone", "film"));
    let target = Target::Manifest("urn:c2pa:alone".parse().unwrap());
    assert_eq!(to.find(&target).await.unwrap(), ExistingState::Absent);
    let copy = take(to, &Payload::Manifest(alone.clone())).await;
    assert_eq!(copy.target, target);
    assert_eq!(to.find(&target).await.unwrap(), ExistingState::Live(None));
    assert_eq!(take(to, &Payload::Manifest(alone.clone())).await, copy);
    for depth in [Depth::Checksum, Depth::Content] {
        assert!(matches!(to.verify(&copy, depth).await.unwrap(), Verdict::Verified { .. }));
    }
    let other = manifest_draft(manifest("urn:c2pa:alone", "another film"));
    match to.import(&Payload::Manifest(other)).await.unwrap() {
        Imported::Refused { kind, .. } => assert_eq!(kind, "manifest-conflict"),
        other => panic!("{other:?}"),
    }
    let at = withdrawn(to, &copy).await;
    assert_eq!(to.find(&target).await.unwrap(), ExistingState::Deleted(at));
    assert!(matches!(to.verify(&copy, Depth::Checksum).await.unwrap(), Verdict::Changed(_)));
    assert_eq!(at, AT());
    assert_eq!(withdrawn(to, &copy).await, at, "an answer that got lost is told again");
    let later = to.withdraw(&copy, at.plus_seconds(1)).await.unwrap();
    assert_eq!(later, Withdrawal::Touched, "it was deleted before");
    let again = to.import(&Payload::Manifest(alone.clone())).await.unwrap();
    assert_eq!(again, Imported::Deleted(at), "deleted stays deleted");
    take(to, &Payload::Manifest(ManifestDraft { restores: Some(at), ..alone })).await;
    assert!(matches!(to.verify(&copy, Depth::Content).await.unwrap(), Verdict::Verified { .. }));

    // A manifest that a proof holds stays for the proof.
    let held = Draft { manifest: manifest("urn:c2pa:held", "c"), ..draft("c") };
    take(to, &payload(std::slice::from_ref(&held))).await;
    let target = Target::Manifest("urn:c2pa:held".parse().unwrap());
    let before = if is_here { ExistingState::Absent } else { ExistingState::Live(None) };
    assert_eq!(to.find(&target).await.unwrap(), before, "it is there for its proof alone");
    let copy = take(to, &Payload::Manifest(manifest_draft(held.manifest))).await;
    if is_here {
        withdrawn(to, &copy).await;
        assert_eq!(withdrawn(to, &copy).await, AT());
        assert_eq!(to.find(&target).await.unwrap(), ExistingState::Absent);
        assert!(matches!(to.verify(&copy, Depth::Checksum).await.unwrap(), Verdict::Missing(_)));
    } else {
        assert_eq!(to.withdraw(&copy, AT()).await.unwrap(), Withdrawal::Touched);
        assert_eq!(to.find(&target).await.unwrap(), ExistingState::Live(None));
    }
    assert!(matches!(to.find(&Target::Proof(id("c"))).await.unwrap(), ExistingState::Live(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_at_hand_takes_names_and_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let to = open(&format!("dir:{}", folder.path().join("data").display())).await;
    names(&to, true).await;
    manifests(&to, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_behind_its_api_takes_names_and_manifests() {
    let server = Server::start();
    let to = open(&format!("credlink:{}", server.url())).await;
    names(&to, false).await;
    manifests(&to, false).await;
    // The tenant stores for itself what an import had brought. From then on it belongs to the tenant.
    let theirs = manifest("urn:c2pa:theirs", "film");
    let copy = take(&to, &Payload::Manifest(manifest_draft(theirs.clone()))).await;
    let url = format!("{}/v1/manifests", server.url());
    let stored = ureq::post(&url).content_type("application/c2pa").send(&theirs.bytes()[..]).unwrap();
    assert_eq!(stored.status(), 200);
    assert_eq!(to.withdraw(&copy, AT()).await.unwrap(), Withdrawal::Touched);
    assert!(matches!(to.verify(&copy, Depth::Content).await.unwrap(), Verdict::Verified { .. }));
}

/// Two tenants have the same manifest. A run with the credential of the other tenant withdraws neither.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_of_another_tenant_withdraws_nothing_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.json");
    let entry = |tenant: &str| {
        let sha256 = Digest::of(tenant.as_bytes());
        serde_json::json!({"name": tenant, "sha256": sha256, "tenant": tenant, "scopes": ["admin"]})
    };
    std::fs::write(&tokens, serde_json::json!([entry("acme"), entry("bad")]).to_string()).unwrap();
    let variables = [("CREDLINK_TOKENS", tokens.to_str().unwrap()), ("CREDLINK_TENANTS", "several")];
    let server = Server::with(&folder.path().join("data"), &[], &variables);
    let remote = |token: &str| Remote::new(server.url(), Some(token)).unwrap();
    let of = |tenant: &str, visibility| ManifestDraft {
        tenant: tenant.parse().unwrap(),
        visibility,
        ..manifest_draft(manifest("urn:c2pa:shared", "film"))
    };
    for tenant in ["acme", "bad"] {
        let kept = remote(tenant).import(&Payload::Manifest(of(tenant, Visibility::Public))).await.unwrap();
        assert!(matches!(kept, Imported::Stored(_)), "{kept:?}");
    }
    let private = Payload::Manifest(of("acme", Visibility::Private));
    let refused = remote("bad").import(&private).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::AccessDenied, "{refused}");
    let is_public = |tenant: &str| {
        let url = format!("{}/v1/tenants/{tenant}/manifests/urn:c2pa:shared", server.url());
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        agent.get(url).call().unwrap().status() == 200
    };
    assert!(is_public("acme") && is_public("bad"));
    let kept = remote("acme").import(&private).await.unwrap();
    assert!(matches!(kept, Imported::Stored(_)), "{kept:?}");
    assert!(!is_public("acme") && is_public("bad"));
}

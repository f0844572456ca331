//! The plain addresses of a source that is a CredLink with several tenants, after a migration.

use std::slice;

use credlink_auth::gate::Gate;
use credlink_core::access::Visibility;
use credlink_core::front::{DecidedBy, Front};
use credlink_core::manifest::Manifest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::rules::store::{Draft, Origin};
use credlink_core::testing::manifest_store;
use credlink_core::time::Timestamp;
use credlink_ports::migration::target::{ManifestDraft, Payload};
use credlink_ports::migration::{Destination as _, Imported, Withdrawal, import_with_fronts};
use credlink_ports::{FailureKind, Objects as _, Ports as _};

use http::Method;

use super::{ID, content, decide, own, plain, served, status, store_alone, told, world};
use crate::http::ask::{ask, c2pa, get, json, media};
use crate::world::World;

/// The source's front, which says whose manifest the plain address serves.
fn front(tenant: Option<&str>, decided_by: DecidedBy) -> Front {
    let tenant = tenant.map(|name| name.parse().unwrap());
    Front { decided_by, ..Front::decided(ID.parse().unwrap(), tenant) }
}

/// The tenant's manifest by itself.
fn manifest_draft(tenant: &str, visibility: Visibility) -> Payload {
    Payload::Manifest(ManifestDraft {
        manifest: Manifest::c2pa(content(tenant).into()).unwrap(),
        tenant: tenant.parse().unwrap(),
        visibility,
        restores: None,
    })
}

/// The tenant's proof with its manifest.
fn proof(tenant: &str, visibility: Visibility) -> Payload {
    let created = Timestamp::from_milliseconds(1_767_225_600_000);
    let origin = Origin {
        created,
        expires: created.plus_seconds(1_000_000_000),
        legacy: None,
        restores: None,
        manifest_visibility: None,
    };
    Payload::Proof(vec![Draft {
        tenant: tenant.parse().unwrap(),
        media_hash: media(tenant),
        media_type: None,
        manifest: Manifest::c2pa(content(tenant).into()).unwrap(),
        signature: None,
        lifetime: 0,
        tags: std::collections::BTreeMap::new(),
        visibility,
        origin: Some(origin),
    }])
}

type Making = fn(&str, Visibility) -> Payload;
const MAKINGS: [Making; 2] = [manifest_draft, proof];

async fn take(world: &World, payload: &Payload, front: &Front) {
    let outcome = import_with_fronts(&world.destination(), payload, slice::from_ref(front)).await.unwrap();
    assert!(matches!(outcome, Imported::Stored(_)), "{outcome:?}");
}

/// The order in which tenants are copied decides nothing. Neither does the tenant `default`, whose manifest is served
/// where there is no front.
#[tokio::test]
async fn the_address_serves_whom_it_serves_at_the_source() {
    for make in MAKINGS {
        for decided_by in [DecidedBy::Claim, DecidedBy::Operator] {
            for (owner, other) in [("acme", "bad"), ("acme", "default"), ("default", "acme")] {
                for order in [[owner, other], [other, owner]] {
                    let world = world();
                    let front = front(Some(owner), decided_by);
                    for tenant in order {
                        take(&world, &make(tenant, Visibility::Public), &front).await;
                        // A walk in between decides nothing either.
                        world.clean_up().await;
                        let is_there = tenant == owner || order[0] == owner;
                        let expected = if is_there { owner } else { "404" };
                        assert_eq!(served(&world, "", &plain()).await, expected, "{order:?}");
                    }
                    assert_eq!(served(&world, "", &own(other)).await, other);
                }
            }
        }
    }
}

/// The manifest was withdrawn at the source, and the address still belongs to its tenant.
#[tokio::test]
async fn what_is_private_keeps_its_address() {
    for make in MAKINGS {
        let world = world();
        take(&world, &make("acme", Visibility::Private), &front(Some("acme"), DecidedBy::Claim)).await;
        assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "404");
    }
}

/// A copy does not publish a manifest that its owner withdrew and then deleted, or that was rolled back: neither with a
/// proof, nor by itself, nor when a run undoes its own rollback. Its tenant publishes it by storing it.
#[tokio::test]
async fn what_was_private_when_it_was_deleted_is_not_published() {
    for make in MAKINGS {
        let world = world();
        let front = front(Some("acme"), DecidedBy::Claim);
        let fronts = slice::from_ref(&front);
        let mut payload = make("acme", Visibility::Public);
        let Imported::Stored(copy) =
            import_with_fronts(&world.destination(), &payload, fronts).await.unwrap()
        else {
            panic!("it is not stored")
        };
        publish(&world, "acme", "private").await;
        // This is a rollback.
        let at = Timestamp::from_milliseconds(1_767_268_800_007);
        assert_eq!(world.destination().withdraw(&copy, at).await.unwrap(), Withdrawal::Deleted(at));
        match &mut payload {
            Payload::Proof(drafts) => drafts[0].origin.as_mut().unwrap().restores = Some(at),
            Payload::Manifest(manifest_draft) => manifest_draft.restores = Some(at),
            Payload::Alias(_) => unreachable!(),
        }
        let outcome = import_with_fronts(&world.destination(), &payload, fronts).await.unwrap();
        let Imported::Refused { kind, detail } = outcome else { panic!("{outcome:?}") };
        assert_eq!(kind, "visibility-conflict", "{detail}");
        assert_eq!(served(&world, "", &own("acme")).await, "404");
        assert_eq!(status(&world, "acme", store_alone("acme")).await, 201);
        assert_eq!(served(&world, "", &own("acme")).await, "acme");
    }
}

/// A rollback withdraws only what the import alone has stored, and nothing that its tenant has stored since, whether or
/// not it was deleted in between.
#[tokio::test]
async fn a_rollback_leaves_what_its_tenant_has_stored() {
    let at = Timestamp::from_milliseconds(1_767_268_800_007);
    let stored = || vec![(store_alone("acme"), 200)];
    let anew = || vec![(ask(Method::DELETE, &own("acme")), 204), (store_alone("acme"), 201)];
    for (requests, expected) in
        [(vec![], Withdrawal::Deleted(at)), (stored(), Withdrawal::Touched), (anew(), Withdrawal::Touched)]
    {
        let world = world();
        let payload = manifest_draft("acme", Visibility::Public);
        let Imported::Stored(copy) = world.destination().import(&payload).await.unwrap() else {
            panic!("it is not stored")
        };
        let is_touched = !requests.is_empty();
        for (request, expected) in requests {
            assert_eq!(status(&world, "acme", request).await, expected);
        }
        assert_eq!(world.destination().withdraw(&copy, at).await.unwrap(), expected);
        let found = served(&world, "", &own("acme")).await;
        assert_eq!(found, if is_touched { "acme" } else { "410" });
    }
}

/// A rollback that was cut off has dropped the hold of a manifest. Without the hold, a lost index would forget that the
/// manifest was stored for itself. The hold is there again once the tenant has stored the manifest, and once another
/// rollback leaves the manifest in place.
#[tokio::test]
async fn what_its_tenant_has_stored_is_held() {
    let world = world();
    let payload = manifest_draft("acme", Visibility::Public);
    let Imported::Stored(copy) = world.destination().import(&payload).await.unwrap() else {
        panic!("it is not stored")
    };
    let hold = ObjectKey::Hold(ManifestKey::new(&"acme".parse().unwrap(), &ID.parse().unwrap()), 0);
    let ports = world.service().ports();
    let objects = ports.objects();
    let is_held = async || objects.head(&hold).await.unwrap().is_some();
    assert!(is_held().await);
    objects.delete(&hold).await.unwrap();
    assert_eq!(status(&world, "acme", store_alone("acme")).await, 200);
    assert!(is_held().await);
    objects.delete(&hold).await.unwrap();
    let at = Timestamp::from_milliseconds(1_767_268_800_007);
    assert_eq!(world.destination().withdraw(&copy, at).await.unwrap(), Withdrawal::Touched);
    assert!(is_held().await);
    world.assert_sound().await;
}

/// An address that the operator has released at the source is free: the tenant that had it before does not get it by
/// being copied.
#[tokio::test]
async fn what_is_freed_there_is_free_here() {
    for make in MAKINGS {
        let world = world();
        let front = front(None, DecidedBy::Operator);
        for tenant in ["bad", "default"] {
            take(&world, &make(tenant, Visibility::Public), &front).await;
            assert_eq!(served(&world, "", &plain()).await, "404", "{tenant}");
        }
        assert_eq!(status(&world, "acme", store_alone("acme")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "acme");
    }
}

/// A decision made here stays, and so does the address of a manifest that the tenant `default` stored while it was the
/// only tenant.
#[tokio::test]
async fn a_source_overrules_nobody() {
    for make in MAKINGS {
        let acme = front(Some("acme"), DecidedBy::Operator);
        let world = world();
        assert_eq!(decide(&world, "operator", Some("bad")).await, 200);
        take(&world, &make("acme", Visibility::Public), &acme).await;
        assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "bad");
        for there in [acme, front(None, DecidedBy::Operator)] {
            let world = super::world();
            assert_eq!(status(&world, "default", store_alone("default")).await, 201);
            forget_front(&world).await;
            take(&world, &make("acme", Visibility::Public), &there).await;
            assert_eq!(served(&world, "", &plain()).await, "default", "{there:?}");
        }
    }
}

/// Simulates that the front was not written.
async fn forget_front(world: &World) {
    let front = format!("fronts/{}", ID.replace(':', "%3A")).parse().unwrap();
    world.service().ports().objects().delete(&front).await.unwrap();
}

/// A tenant that has another manifest under the ID is refused. It claims nothing thereby (guarantee 11), and takes
/// nothing from a decision made meanwhile.
#[tokio::test]
async fn what_is_refused_takes_no_address() {
    for make in MAKINGS {
        for is_repeated in [false, true] {
            let world = world();
            // A private manifest claims nothing.
            let other = c2pa(
                Method::POST,
                "/v1/manifests?visibility=private",
                manifest_store(ID, media("another").digest()),
            );
            assert_eq!(status(&world, "acme", other).await, 201);
            let (payload, front) = (make("acme", Visibility::Public), front(Some("acme"), DecidedBy::Signer));
            let refuse = async || {
                let outcome =
                    import_with_fronts(&world.destination(), &payload, slice::from_ref(&front)).await;
                let is_refusal = |outcome: &Imported| matches!(outcome, Imported::Refused { kind, .. } if kind == "manifest-conflict");
                assert!(outcome.as_ref().is_ok_and(is_refusal), "{outcome:?}");
            };
            refuse().await;
            if is_repeated {
                refuse().await;
            }
            assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
            assert_eq!(served(&world, "", &plain()).await, "bad");
            refuse().await;
            assert_eq!(served(&world, "", &plain()).await, "bad");
        }
    }
}

/// The tenant `default` has had its plain address since it was the only tenant, and no front says so. A refused import
/// with a front for that address leaves it as it is.
#[tokio::test]
async fn what_is_refused_leaves_the_address_of_the_tenant_that_was_alone() {
    for make in MAKINGS {
        for (tenant, decided_by) in
            [("default", DecidedBy::Claim), ("default", DecidedBy::Operator), ("acme", DecidedBy::Operator)]
        {
            let world = world();
            let other = manifest_store(ID, media("another").digest());
            assert_eq!(
                status(&world, "default", c2pa(Method::POST, "/v1/manifests", other.clone())).await,
                201
            );
            forget_front(&world).await;
            let front = front(Some(tenant), decided_by);
            let payload = make("default", Visibility::Public);
            let outcome =
                import_with_fronts(&world.destination(), &payload, slice::from_ref(&front)).await.unwrap();
            assert!(matches!(outcome, Imported::Refused { .. }), "{outcome:?}");
            let is_served = async || told(&world, "", get(&plain())).await.into_body() == other;
            assert!(is_served().await, "{front:?}");
            assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
            assert!(is_served().await, "{front:?}");
        }
    }
}

/// A released address is like one without a front: it serves the tenant `default`, which also claims it by a
/// withdrawal.
#[tokio::test]
async fn a_released_address_is_as_one_without_a_front() {
    let world = world();
    let adopted = world.destination().adopt_front(&front(Some("acme"), DecidedBy::Claim)).await.unwrap();
    world.destination().release_front(&adopted.unwrap()).await.unwrap();
    take(&world, &manifest_draft("default", Visibility::Private), &front(None, DecidedBy::Claim)).await;
    assert_eq!(served(&world, "default", &plain()).await, "default");
    publish(&world, "default", "public").await;
    publish(&world, "default", "private").await;
    assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
    assert_eq!(served(&world, "", &plain()).await, "404");
    assert_eq!(served(&world, "default", &plain()).await, "default");
}

async fn publish(world: &World, caller: &str, visibility: &str) {
    let body = serde_json::json!({"visibility": visibility});
    assert_eq!(
        status(world, caller, json(Method::PUT, &format!("{}/visibility", plain()), &body)).await,
        204
    );
}

/// An item that the destination does not accept leaves no front. With a single tenant, no other tenant's front is
/// written.
#[tokio::test]
async fn no_front_is_written_of_what_is_not_taken() {
    for make in MAKINGS {
        let world = World::single(Gate::of(None, None));
        let front = front(Some("acme"), DecidedBy::Operator);
        let fronts = slice::from_ref(&front);
        let refused =
            import_with_fronts(&world.destination(), &make("acme", Visibility::Public), fronts).await;
        assert_eq!(refused.unwrap_err().kind, FailureKind::AccessDenied);
        take(&world, &make("default", Visibility::Public), &front).await;
        let key = format!("fronts/{}", ID.replace(':', "%3A")).parse().unwrap();
        assert!(world.service().ports().objects().head(&key).await.unwrap().is_none());
    }
}

/// The item is refused at first and private when it is accepted; the address is then kept for it.
#[tokio::test]
async fn an_address_that_was_given_back_is_kept_again() {
    for make in MAKINGS {
        let world = world();
        let front = front(Some("acme"), DecidedBy::Claim);
        let kept = world.destination().adopt_front(&front).await.unwrap().unwrap();
        world.destination().release_front(&kept).await.unwrap();
        take(&world, &make("acme", Visibility::Private), &front).await;
        assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "404");
        assert_eq!(served(&world, "acme", &plain()).await, "acme");
    }
}

/// Two items keep the same address at once. The refusal of one takes nothing from the other, though that one is
/// private.
#[tokio::test]
async fn an_address_is_not_given_back_that_has_its_manifest_by_now() {
    for make in MAKINGS {
        let world = world();
        let front = front(Some("acme"), DecidedBy::Claim);
        let kept = world.destination().adopt_front(&front).await.unwrap().unwrap();
        take(&world, &make("acme", Visibility::Private), &front).await;
        world.destination().release_front(&kept).await.unwrap();
        assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "404");
    }
}

/// An import that was cut off before it stored anything has kept the address for nothing, unless the item is stored
/// later.
#[tokio::test]
async fn an_address_that_was_kept_for_nothing_is_given_back() {
    for make in MAKINGS {
        for is_stored in [false, true] {
            let world = world();
            let front = front(Some("acme"), DecidedBy::Claim);
            assert!(world.destination().adopt_front(&front).await.unwrap().is_some());
            if is_stored {
                take(&world, &make("acme", Visibility::Public), &front).await;
                assert_eq!(served(&world, "", &plain()).await, "acme");
            } else {
                let kept = world.destination().adopt_front(&front).await.unwrap().unwrap();
                world.destination().release_front(&kept).await.unwrap();
                assert_eq!(served(&world, "", &plain()).await, "404");
                assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
                assert_eq!(served(&world, "", &plain()).await, "bad");
            }
        }
    }
}

/// A replaced proof has a manifest for each record. If the import is cut off between two of them, all plain addresses
/// are kept all the same.
#[tokio::test]
async fn every_record_of_a_proof_keeps_its_address() {
    let world = world();
    let Payload::Proof(mut drafts) = proof("acme", Visibility::Public) else { unreachable!() };
    let second = "urn:c2pa:00000000-0000-4000-8000-0000000000bb";
    let manifest = manifest_store(second, media("acme").digest());
    drafts.push(Draft { manifest: Manifest::c2pa(manifest.into()).unwrap(), ..drafts[0].clone() });
    let fronts = [ID, second].map(|id| Front::decided(id.parse().unwrap(), Some("acme".parse().unwrap())));
    for front in &fronts {
        world.destination().adopt_front(front).await.unwrap();
    }
    let outcome = world.destination().import(&Payload::Proof(drafts[..1].to_vec())).await.unwrap();
    assert!(matches!(outcome, Imported::Stored(_)), "{outcome:?}");
    // The import was cut off at this point.
    let other = manifest_store(second, media("bad").digest());
    let other = c2pa(Method::POST, "/v1/manifests", other);
    assert_eq!(status(&world, "bad", other).await, 201);
    let outcome = import_with_fronts(&world.destination(), &Payload::Proof(drafts), &fronts).await.unwrap();
    assert!(matches!(outcome, Imported::Stored(_)), "{outcome:?}");
    let answer = told(&world, "", get(&format!("/v1/manifests/{second}"))).await;
    assert_eq!(answer.body(), &manifest_store(second, media("acme").digest()));
}

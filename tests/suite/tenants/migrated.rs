//! What a migration makes of the plain addresses of a source that is a CredLink with several tenants.

use credlink_core::access::Visibility;
use credlink_core::front::{DecidedBy, Front};
use credlink_core::manifest::Manifest;
use credlink_core::rules::store::{Draft, Origin};
use credlink_core::time::Timestamp;
use credlink_service::migrate::ports::{Destination as _, TakenOver};
use credlink_service::migrate::target::{Loose, Parcel};
use credlink_service::ports::{Objects as _, Ports as _};

use super::{ID, content, decide, own, plain, served, status, store_alone, world};
use crate::http::ask::media;
use crate::world::World;

/// What the source says of the plain address: whom it serves.
fn front(tenant: Option<&str>, decided_by: DecidedBy) -> Front {
    let tenant = tenant.map(|name| name.parse().unwrap());
    Front { decided_by, ..Front::decided(ID.parse().unwrap(), tenant) }
}

/// The tenant's manifest by itself.
fn loose(tenant: &str, visibility: Visibility, front: &Front) -> Parcel {
    Parcel::Manifest(Loose {
        manifest: Manifest::c2pa(content(tenant).into()).unwrap(),
        tenant: tenant.parse().unwrap(),
        visibility,
        restores: None,
        front: Some(front.clone()),
    })
}

/// The tenant's proof that brings its manifest along.
fn proof(tenant: &str, visibility: Visibility, front: &Front) -> Parcel {
    let created = Timestamp::from_milliseconds(1_767_225_600_000);
    let origin = Origin {
        created,
        expires: created.plus_seconds(1_000_000_000),
        legacy: None,
        restores: None,
        manifest_visibility: None,
        front: Some(front.clone()),
    };
    Parcel::Proof(vec![Draft {
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

type Making = fn(&str, Visibility, &Front) -> Parcel;
const MAKINGS: [Making; 2] = [loose, proof];

async fn take(world: &World, parcel: &Parcel) {
    let outcome = world.destination().take_over(parcel).await.unwrap();
    assert!(matches!(outcome, TakenOver::Stored(_)), "{outcome:?}");
}

async fn fronts(world: &World) -> usize {
    world.keys().await.iter().filter(|key| key.starts_with("fronts/")).count()
}

/// The order in which tenants are copied decides nothing.
#[tokio::test]
async fn the_address_serves_whom_it_serves_at_the_source() {
    for make in MAKINGS {
        for decided_by in [DecidedBy::Claim, DecidedBy::Operator] {
            let world = world();
            let front = front(Some("acme"), decided_by);
            take(&world, &make("bad", Visibility::Public, &front)).await;
            assert_eq!(served(&world, "", &plain()).await, "404");
            // Nor does a walk that comes between.
            world.clean_up().await;
            take(&world, &make("acme", Visibility::Public, &front)).await;
            assert_eq!(served(&world, "", &plain()).await, "acme");
            assert_eq!(served(&world, "", &own("bad")).await, "bad");
        }
    }
}

/// It was withdrawn there, and the address is still its tenant's.
#[tokio::test]
async fn what_is_private_keeps_its_address() {
    for make in MAKINGS {
        let world = world();
        let front = front(Some("acme"), DecidedBy::Claim);
        take(&world, &make("acme", Visibility::Private, &front)).await;
        assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "404");
    }
}

/// What the operator has freed at the source is free: who was there then does not get it by being copied.
#[tokio::test]
async fn what_is_freed_there_is_free_here() {
    for make in MAKINGS {
        let world = world();
        take(&world, &make("bad", Visibility::Public, &front(None, DecidedBy::Operator))).await;
        assert_eq!(served(&world, "", &plain()).await, "404");
        assert_eq!(status(&world, "acme", store_alone("acme")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "acme");
    }
}

/// What was decided here stays.
#[tokio::test]
async fn a_source_overrules_nobody() {
    for make in MAKINGS {
        let world = world();
        assert_eq!(decide(&world, "operator", Some("bad")).await, 200);
        take(&world, &make("acme", Visibility::Public, &front(Some("acme"), DecidedBy::Operator))).await;
        assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "bad");
    }
}

/// A refused item leaves nothing claimed (guarantee 11).
#[tokio::test]
async fn what_is_refused_takes_no_address() {
    for make in MAKINGS {
        let world = world();
        // The tenant has another manifest under the id, which claims nothing.
        let other = crate::http::ask::c2pa(
            http::Method::POST,
            "/v1/manifests?visibility=private",
            credlink_core::testing::manifest_store(ID, media("another").digest()),
        );
        assert_eq!(status(&world, "acme", other).await, 201);
        let parcel = make("acme", Visibility::Public, &front(Some("acme"), DecidedBy::Operator));
        let outcome = world.destination().take_over(&parcel).await.unwrap();
        assert!(
            matches!(&outcome, TakenOver::Refused { kind, .. } if kind == "manifest-conflict"),
            "{outcome:?}"
        );
        assert_eq!(fronts(&world).await, 0);
        assert_eq!(status(&world, "bad", store_alone("bad")).await, 201);
        assert_eq!(served(&world, "", &plain()).await, "bad");
    }
}

/// A run that was cut off behind the store is done again.
#[tokio::test]
async fn a_take_over_that_is_repeated_brings_the_address_that_it_missed() {
    for make in MAKINGS {
        for visibility in [Visibility::Public, Visibility::Private] {
            let world = world();
            let parcel = make("acme", visibility, &front(Some("acme"), DecidedBy::Operator));
            take(&world, &parcel).await;
            let front = format!("fronts/{}", ID.replace(':', "%3A")).parse().unwrap();
            world.service().ports().objects().delete(&front).await.unwrap();
            take(&world, &parcel).await;
            assert_eq!(fronts(&world).await, 1);
        }
    }
}

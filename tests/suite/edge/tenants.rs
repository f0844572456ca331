//! Several tenants at the edge: the address of each tenant's manifest, and the content of a plain address.

use std::time::Duration;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::front::Front;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::tenant::Tenant;
use http::header::AUTHORIZATION;
use http::{Method, Request};

use super::origin::Origin;
use super::seeds::{Seed, kind, now, read, state};
use crate::engines::edge::Edge;
use crate::http::ask::{ask, c2pa, media, with};
use crate::world::{Ground, World, tokens};

const ID: &str = "urn:c2pa:shared";

fn several() -> (&'static str, String) {
    ("CREDLINK_TENANTS", "several".to_owned())
}

/// The manifest that a tenant stores under an ID that all tenants use.
fn manifest(tenant: &str) -> Seed {
    let tenant: Tenant = tenant.parse().unwrap();
    let key = ManifestKey { id: ID.parse().unwrap(), tenant: tenant.clone() };
    let content = Seed::manifest(tenant.as_str()).content;
    Seed::new(ObjectKey::Manifest(key), content).but(|facts| facts.tenant = tenant)
}

fn front(tenant: Option<&str>) -> Seed {
    let front = Front::decided(ID.parse().unwrap(), tenant.map(|name| name.parse().unwrap()));
    let (body, attributes) = front.object(1, now());
    let facts = Facts::read(&attributes).unwrap();
    Seed { facts, ..Seed::new(ObjectKey::Front(ID.parse().unwrap()), body) }
}

fn own(tenant: &str) -> String {
    format!("/tenants/{tenant}/manifests/{ID}")
}

fn plain() -> String {
    format!("/manifests/{ID}")
}

fn by_stranger(request: Request<Bytes>) -> Request<Bytes> {
    with(request, AUTHORIZATION, format!("Bearer {}", tokens::STRANGER))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenant_is_served_at_its_own_address() {
    let edge = Edge::with([several()]).await;
    for tenant in ["acme", "bad", "default"] {
        manifest(tenant).put(&edge).await;
    }
    for _ in 0..2 {
        for tenant in ["acme", "bad", "default"] {
            manifest(tenant).assert_is(&read(&edge, &own(tenant)).await.0);
        }
        edge.settle().await;
    }
    assert_eq!(state(&edge, &own("nobody")).await.0, 404);
    assert_eq!(state(&edge, &own("Nobody")).await.0, 400);
    let answer = edge.send(ask(Method::DELETE, &own("acme"))).await;
    assert_eq!(answer.status(), 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_address_serves_what_its_front_says() {
    let edge = Edge::with([several()]).await;
    for tenant in ["acme", "bad", "default"] {
        manifest(tenant).put(&edge).await;
    }
    let ahead = |minutes: u64| Duration::from_secs(minutes * 60);
    // The front may name another tenant and not have reached R2 yet, so no tenant's bytes are served without it.
    let (answer, _) = read(&edge, &plain()).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
    front(Some("acme")).put(&edge).await;
    edge.set_ahead(ahead(2)).await;
    let (answer, _) = read(&edge, &plain()).await;
    manifest("acme").assert_is(&answer);
    assert_eq!(answer.headers()["cache-control"], "public, max-age=60, must-revalidate");
    edge.settle().await;
    assert_eq!(state(&edge, &plain()).await, (200, "credlink; hit".to_owned()));
    front(Some("bad")).put(&edge).await;
    edge.set_ahead(ahead(4)).await;
    manifest("bad").assert_is(&read(&edge, &plain()).await.0);
    front(None).put(&edge).await;
    edge.set_ahead(ahead(6)).await;
    let (answer, _) = read(&edge, &plain()).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
    manifest("acme").assert_is(&read(&edge, &own("acme")).await.0);
    // If the tenant keeps the manifest private, the plain address serves nothing either.
    front(Some("acme")).put(&edge).await;
    manifest("acme").but(|facts| facts.visibility = Visibility::Private).put(&edge).await;
    edge.set_ahead(ahead(20)).await;
    let (answer, _) = read(&edge, &plain()).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (404, "not-found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_tenant_no_front_is_asked_for() {
    let edge = Edge::start().await;
    manifest("default").put(&edge).await;
    front(Some("acme")).put(&edge).await;
    manifest("default").assert_is(&read(&edge, &plain()).await.0);
    edge.settle().await;
    assert_eq!(edge.count("bucket.get").await, 1, "{:?}", edge.calls().await);
}

/// A manifest that R2 lacks is read from the API by its tenant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_of_tenants_are_read_through() {
    let origin = Origin::of(World::with_tokens(Ground::Memory)).await;
    let media = media("read through");
    let id = "urn:c2pa:00000000-0000-4000-8000-0000000000cc";
    let bytes = credlink_core::testing::manifest_store(id, media.digest());
    let store = c2pa(Method::POST, "/v1/manifests", bytes.clone());
    let stored = origin.world().answer(by_stranger(store)).await;
    assert_eq!(stored.status(), 201, "{:?}", stored.body());
    let edge = Edge::with([several(), ("CREDLINK_ORIGIN_URL", origin.url().to_owned())]).await;
    for target in [format!("/manifests/{id}"), format!("/tenants/other/manifests/{id}")] {
        for _ in 0..2 {
            let (answer, _) = read(&edge, &target).await;
            assert_eq!((answer.status().as_u16(), answer.body().to_vec()), (200, bytes.clone()), "{target}");
            edge.settle().await;
        }
    }
    let (answer, _) = read(&edge, &format!("/tenants/default/manifests/{id}")).await;
    assert_eq!(answer.status(), 404, "nobody's bytes are kept under another's key");
}

//! Manifests of several tenants under one ID, and who may read each.

use credlink_core::testing::manifest_store;
use http::Method;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::http::api::Api;
use crate::http::ask::{self, ask, c2pa, get, media, with};
use crate::http::session::Session;
use crate::world::tokens;

const ID: &str = "urn:c2pa:00000000-0000-4000-8000-000000000006";

pub async fn chapter(session: &mut Session<'_, impl Api>) {
    let (plain, own) = (&format!("/v1/manifests/{ID}"), &format!("/v1/tenants/default/manifests/{ID}"));
    let bytes = manifest_store(ID, media("of a tenant").digest());
    let stored = session.send("A manifest", c2pa(Method::POST, "/v1/manifests", bytes.clone())).await;
    assert_eq!(stored.status(), 201);
    session.send_as_it_is("Whose it is that the plain address serves", get(&format!("{plain}/front"))).await;

    let front =
        |tenant: Value| ask::json(Method::PUT, &format!("{plain}/front"), &json!({ "tenant": tenant }));
    let refused = session.send("A tenant does not decide that", front(json!("default"))).await;
    assert_eq!(refused.status(), 403);
    let operator = format!("Bearer {}", tokens::OPERATOR);
    for (title, tenant, status) in [
        ("The operator frees the address", Value::Null, 404),
        ("The operator gives it to a tenant that has no such manifest", json!("acme"), 404),
        ("The operator gives it to the one that has", json!("default"), 200),
    ] {
        let decided = with(front(tenant), AUTHORIZATION, &operator);
        assert_eq!(session.send_as_it_is(title, decided).await.status(), 200, "{title}");
        let served = session.send_as_it_is("Anybody reads it", get(plain)).await;
        assert_eq!(served.status(), status, "{title}");
        let served = session.send_as_it_is("And the tenant's own address", get(own)).await;
        assert_eq!(served.body(), &bytes, "{title}");
    }

    let visibility = |address: &str, visibility: &str| {
        ask::json(Method::PUT, &format!("{address}/visibility"), &json!({ "visibility": visibility }))
    };
    let refused = visibility(plain, "private");
    let refused = session.send_as_it_is("Nobody withdraws what is another's", refused).await;
    assert_eq!(refused.status(), 401);
    for (title, address, change, status) in [
        ("Its owner withdraws it", plain, "private", 404),
        ("And once more, by the tenant's own address", own, "private", 404),
        ("And publishes it", plain, "public", 200),
    ] {
        let changed = session.send(title, visibility(address, change)).await;
        assert_eq!(changed.status(), 204, "{title}");
        for target in [plain, own] {
            let read = session.send_as_it_is("Anybody reads it", get(target)).await;
            assert_eq!(read.status(), status, "{title}: {target}");
        }
        let read = session.send("Its owner reads it", get(plain)).await;
        assert_eq!(read.body(), &bytes, "{title}");
    }

    let deleted = session.send("It is deleted at its own address", ask(Method::DELETE, own)).await;
    assert_eq!(deleted.status(), 204);
    for target in [plain, own] {
        let read = session.send_as_it_is("It is gone", get(target)).await;
        assert_eq!(read.status(), 410);
    }
    session.end_chapter("tenants");
}

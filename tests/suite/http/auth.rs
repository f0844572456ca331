//! Authorisation: every operation with every kind of credential, in one table for each authenticator.
//!
//! Each cell has its own world, so that no request sees the effects of another. A new operation does not compile until
//! it is in [`is_listed`], and the tables fail until [`requests`] has it.

pub mod issuer;

use std::collections::BTreeSet;

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_auth::jwt::settings::Jwks;
use credlink_core::access::Scope;
use credlink_core::http::route::{
    Aliases, Documents, Entities, Files, Manifests, Media, Migrations, Proofs, Route, Uploads,
};
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, IF_MATCH, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request, Response};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use self::issuer::{
    AUDIENCE, ISSUER, Published, authenticator, claims, seconds_from_now, signed, token,
    under_the_public_key, unsigned, with as claiming,
};
use super::ask::{ask, c2pa, get, json, media, proof_path, with};
use super::session::exchange;
use crate::engines::free_port;
use crate::server::Server;
use crate::world::{Ground, World, tokens};

const MANIFEST: &str = "urn:c2pa:00000000-0000-4000-8000-00000000000a";

/// Returns `true` if the tables know an operation, as they know all of them.
const fn is_listed(route: &Route) -> bool {
    match route {
        Route::Reads(_)
        | Route::Proofs(Proofs::Store | Proofs::List { .. })
        | Route::Proofs(Proofs::Supersede(_) | Proofs::Delete(_))
        | Route::Proofs(Proofs::BatchDelete | Proofs::SignLink { .. })
        | Route::Aliases(Aliases::List { .. } | Aliases::Bind(_) | Aliases::Withdraw { .. })
        | Route::Manifests(Manifests::List { .. } | Manifests::Store { .. })
        | Route::Manifests(
            Manifests::Delete { .. } | Manifests::DecideFront(_) | Manifests::ChangeVisibility { .. },
        )
        | Route::Migrations(Migrations::Begin | Migrations::Show { .. } | Migrations::Remove { .. })
        | Route::Uploads(
            Uploads::Announce
            | Uploads::Sign
            | Uploads::Show(_)
            | Uploads::Abort(_)
            | Uploads::AddressParts(_)
            | Uploads::Complete(_)
            | Uploads::Receive { .. },
        )
        | Route::Files(
            Files::Find { .. }
            | Files::BatchDelete
            | Files::Show(_)
            | Files::Change(_)
            | Files::Delete(_)
            | Files::Render { .. }
            | Files::Audit { .. }
            | Files::SignLink { .. },
        )
        | Route::Entities(
            Entities::Show(_) | Entities::Put(_) | Entities::Change(_) | Entities::PutOnly(_),
        )
        | Route::Media(Media::Read { .. })
        | Route::Documents(Documents::Health | Documents::Stats | Documents::OpenApi)
        | Route::Options(_) => true,
    }
}

/// A request for every operation, without a credential.
fn requests() -> Vec<Request<Bytes>> {
    let (there, private) = (proof_path("there"), proof_path("private"));
    let manifest = format!("/v1/manifests/{MANIFEST}");
    let new = json!({"media_hash": media("new").to_string(), "manifest": {}});
    let other = "urn:c2pa:00000000-0000-4000-8000-00000000000b";
    let path = there.trim_start_matches("/v1/proofs/");
    // IDs of uploads and files look like those of proofs. This world keeps no files, so nobody who is let in finds any.
    let (upload, file) = (format!("/v1/uploads/{path}"), format!("/v1/files/{path}"));
    let list = "/v1/entities/item/4711/item-photo";
    vec![
        get(&there),
        get(&private),
        get(&format!("{there}/1")),
        get("/v1/proofs/p-1"),
        get(&manifest),
        json(Method::POST, "/v1/proofs", &new),
        get("/v1/proofs"),
        with(json(Method::PUT, &there, &json!({"manifest": {}})), IF_MATCH, "*"),
        ask(Method::DELETE, &there),
        json(Method::POST, "/v1/proofs/batch-delete", &json!({"ids": [path]})),
        get(&format!("{there}/url")),
        get("/v1/aliases"),
        json(Method::PUT, "/v1/aliases/p-9", &json!({"proof": path})),
        ask(Method::DELETE, &format!("/v1/aliases/p-9?proof={path}")),
        get("/v1/manifests"),
        c2pa(Method::POST, "/v1/manifests", manifest_store(other, media("new").digest())),
        ask(Method::DELETE, &manifest),
        get(&format!("{manifest}/front")),
        json(Method::PUT, &format!("{manifest}/front"), &json!({"tenant": "other"})),
        json(Method::PUT, &format!("{manifest}/visibility"), &json!({"visibility": "private"})),
        json(Method::POST, "/v1/migrations", &json!({"name": "a", "from": "s3://old"})),
        get("/v1/migrations/a"),
        ask(Method::DELETE, "/v1/migrations/a"),
        json(Method::POST, "/v1/uploads", &json!({"collection": "temp", "size": 1, "type": "image/png"})),
        json(Method::POST, "/v1/uploads/sign", &json!({})),
        get(&upload),
        ask(Method::DELETE, &upload),
        json(Method::POST, &format!("{upload}/parts"), &json!({"numbers": [1]})),
        ask(Method::POST, &format!("{upload}/complete")),
        ask(Method::PUT, &format!("{upload}/bytes?expires=1&key=k&life=0&signature=AA")),
        get("/v1/files"),
        json(Method::POST, "/v1/files/batch-delete", &json!({"ids": [path]})),
        get(&file),
        json(Method::PATCH, &file, &json!({})),
        ask(Method::DELETE, &file),
        ask(Method::POST, &format!("{file}/renditions")),
        get(&format!("{file}/audit")),
        get(&format!("{file}/url")),
        get(list),
        with(json(Method::PUT, list, &json!({"files": []})), IF_MATCH, "*"),
        json(Method::POST, list, &json!({"detach": path})),
        json(Method::PUT, &format!("{list}/only"), &json!({"file": path})),
        get(&format!("/media/{path}/original")),
        get("/v1/health"),
        get("/v1/stats"),
        get("/v1/openapi.json"),
        ask(Method::OPTIONS, "/v1/proofs"),
    ]
}

fn route(request: &Request<Bytes>) -> Route {
    let uri = request.uri();
    Route::parse(request.method(), uri.path(), uri.query().unwrap_or_default()).unwrap()
}

/// Adds a credential to a request.
fn by(credential: &str, request: Request<Bytes>) -> Request<Bytes> {
    with(request, AUTHORIZATION, credential)
}

/// A world behind this authenticator, with a public and a private proof of the tenant `default`, stored by `owner`.
async fn world(gate: Gate, owner: &str) -> World {
    let world = World::behind(Ground::Memory, gate);
    let store = BASE64.encode(&manifest_store(MANIFEST, media("there").digest()));
    for body in [
        json!({"media_hash": media("there").to_string(), "manifest_base64": store}),
        json!({"media_hash": media("private").to_string(), "manifest": {}, "visibility": "private"}),
    ] {
        let stored = exchange(&world, by(owner, json(Method::POST, "/v1/proofs", &body))).await;
        assert_eq!(stored.status(), 201);
    }
    world
}

fn challenge(response: &Response<Bytes>) -> &str {
    response.headers().get(WWW_AUTHENTICATE).map_or("", |value| value.to_str().unwrap())
}

/// Credentials by name, for an operation that needs a given scope. `None` stands for no credential.
type Credentials = Vec<(&'static str, Option<String>)>;

/// The table of an authenticator.
async fn table(
    gate: impl Fn() -> Gate,
    owner: &str,
    credentials: impl Fn(Option<Scope>) -> Credentials,
) -> String {
    let (mut table, mut seen) = (String::new(), BTreeSet::new());
    for request in requests() {
        let route = route(&request);
        assert!(is_listed(&route));
        seen.insert(route.name());
        let scope = route.scope().map_or("nothing".to_owned(), |scope| scope.to_string());
        let private = if request.uri().path() == proof_path("private") { ", private" } else { "" };
        table += &format!("{}{private}: needs {scope}\n", route.name());
        for (name, credential) in credentials(route.scope()) {
            let world = world(gate(), owner).await;
            let before = world.totals().await;
            let request = match credential {
                Some(credential) => by(&credential, request.clone()),
                None => request.clone(),
            };
            let response = exchange(&world, request).await;
            table +=
                format!("  {name:<21} {} {}", response.status().as_u16(), challenge(&response)).trim_end();
            table.push('\n');
            if response.status().is_client_error() {
                assert_eq!(world.totals().await, before, "{name}: {}", route.name());
            }
        }
    }
    assert_eq!(seen, Route::names().collect::<BTreeSet<_>>());
    table
}

/// Scopes that suffice for an operation, and scopes that do not.
const fn scopes(needed: Option<Scope>) -> (&'static str, &'static str) {
    match needed {
        None => ("", ""),
        Some(Scope::Store) => ("store:manifests", "delete:manifests openid"),
        Some(Scope::Delete) => ("delete:manifests", "store:manifests openid"),
        Some(Scope::MediaWrite) => ("media:write", "store:manifests delete:manifests openid"),
        Some(Scope::MediaAdmin) => ("media:admin", "media:write store:manifests openid"),
        Some(Scope::Admin) => ("admin", "store:manifests delete:manifests openid"),
        Some(Scope::Operator) => ("operator", "admin store:manifests delete:manifests openid"),
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn every_operation_with_every_kind_of_jwt() {
    let published = Published::new();
    let credentials = |needed| {
        let (enough, too_little) = scopes(needed);
        let good = claims(enough);
        let jwt = |name, token: &str| (name, Some(bearer(token)));
        vec![
            ("none", None),
            jwt("malformed", "not-a-jwt"),
            jwt("expired", &signed(&claiming(good.clone(), "exp", seconds_from_now(-120)))),
            jwt("not yet valid", &signed(&claiming(good.clone(), "nbf", seconds_from_now(120)))),
            jwt("another issuer", &signed(&claiming(good.clone(), "iss", "https://other.example"))),
            jwt("another audience", &signed(&claiming(good.clone(), "aud", "another"))),
            jwt("another's signature", &token("stranger", Some("ed25519"), Algorithm::EdDSA, &good)),
            jwt("an unknown key", &token("stranger", Some("stranger"), Algorithm::EdDSA, &good)),
            jwt("alg none", &unsigned(&good)),
            jwt("HS256 by public key", &under_the_public_key(&good)),
            jwt("too little scope", &signed(&claims(too_little))),
            jwt("another tenant", &signed(&claiming(good.clone(), "tenant", "other"))),
            jwt("an operator", &signed(&claims("operator"))),
            jwt("right", &signed(&good)),
        ]
    };
    let owner = bearer(&signed(&claims("admin")));
    let table = table(|| published.gate(None), &owner, credentials).await;
    insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!("jwt", table.trim_end()) });
}

#[tokio::test]
async fn every_operation_with_every_kind_of_static_token() {
    let credentials = |needed| {
        let (enough, too_little) = match needed {
            None => (tokens::SIGNER, tokens::DELETER),
            Some(Scope::Store) => (tokens::SIGNER, tokens::DELETER),
            Some(Scope::Delete) => (tokens::DELETER, tokens::SIGNER),
            Some(Scope::MediaWrite | Scope::MediaAdmin | Scope::Admin) => (tokens::OWNER, tokens::SIGNER),
            Some(Scope::Operator) => (tokens::OPERATOR, tokens::OWNER),
        };
        vec![
            ("none", None),
            ("malformed", Some("Bearer".to_owned())),
            ("an unknown token", Some(bearer("unknown"))),
            ("too little scope", Some(bearer(too_little))),
            ("another tenant", Some(bearer(tokens::STRANGER))),
            ("an operator", Some(bearer(tokens::OPERATOR))),
            ("right", Some(bearer(enough))),
        ]
    };
    let table = table(|| Gate::of(Some(tokens::all()), None), &bearer(tokens::OWNER), credentials).await;
    insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!("tokens", table.trim_end()) });
}

/// The status of the answer to a token, and its explanation.
async fn told(world: &World, token: &str) -> (u16, String) {
    let response = exchange(world, by(&bearer(token), get("/v1/aliases"))).await;
    let document: Value = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), document["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn each_key_checks_its_own_algorithms_only() {
    let published = Published::new();
    let world = World::behind(Ground::Memory, published.gate(None));
    let good = claims("admin");
    for (key, algorithm) in [
        ("rsa", Algorithm::RS256),
        ("rsa", Algorithm::PS512),
        ("p256", Algorithm::ES256),
        ("p384", Algorithm::ES384),
        ("ed25519", Algorithm::EdDSA),
    ] {
        let right = token(key, Some(key), algorithm, &good);
        assert_eq!(told(&world, &right).await, (200, String::new()), "{algorithm:?}");
        // The issuer has one key of each of these types.
        assert_eq!(told(&world, &token(key, None, algorithm, &good)).await.0, 200, "{algorithm:?}");
        for other in ["rsa", "p256", "p384", "ed25519"].into_iter().filter(|other| *other != key) {
            let wrong = token(key, Some(other), algorithm, &good);
            let expected = "the access token is signed with a key that is not known here";
            assert_eq!(told(&world, &wrong).await, (401, expected.to_owned()), "{algorithm:?} {other}");
        }
    }
}

#[tokio::test]
async fn a_bad_token_is_told_why_and_never_shown() {
    let published = Published::new();
    let world = World::behind(Ground::Memory, published.gate(None));
    let good = claims("admin");
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, says) in [
        (claiming(good.clone(), "exp", seconds_from_now(-120)), "has expired"),
        (claiming(good.clone(), "nbf", seconds_from_now(120)), "is not valid yet"),
        (claiming(good.clone(), "exp", "soon"), "no valid claim `exp`"),
        (claiming(good.clone(), "iss", json!([ISSUER])), "claims are malformed"),
        (without("exp"), "no valid claim `exp`"),
        (without("iss"), "claims are malformed"),
        (without("aud"), "no valid claim `aud`"),
        (claiming(good.clone(), "aud", AUDIENCE.to_uppercase()), "for another audience"),
        (without("tenant"), "names no tenant"),
        (claiming(good.clone(), "tenant", "../other"), "a tenant is 1 to"),
        (claiming(good.clone(), "padding", "x".repeat(8_192)), "at most 8192 bytes"),
    ] {
        let token = signed(&claims);
        let (status, detail) = told(&world, &token).await;
        assert_eq!(status, 401, "{detail}");
        assert!(detail.contains(says), "{detail}");
        assert!(!detail.contains("..") && token.split('.').all(|part| !detail.contains(part)), "{detail}");
    }
    // A clock difference of less than a minute is tolerated.
    for (claim, seconds) in [("exp", -30), ("nbf", 30)] {
        let claims = claiming(good.clone(), claim, seconds_from_now(seconds));
        assert_eq!(told(&world, &signed(&claims)).await.0, 200, "{claim}");
    }
}

#[tokio::test]
async fn one_gate_takes_both_kinds_and_tells_them_apart_by_their_form() {
    let published = Published::new();
    let world = World::behind(Ground::Memory, published.gate(Some(tokens::all())));
    assert_eq!(told(&world, tokens::OWNER).await.0, 200);
    assert_eq!(told(&world, &signed(&claims("admin"))).await.0, 200);
    assert_eq!(told(&world, "unknown").await.1, "the access token is not known here");
    assert_eq!(told(&world, "e30.e30.e30").await.1, "the access token is no JWT");
    let none = unsigned(&claims("admin"));
    assert!(told(&world, &none).await.1.starts_with("the access token's algorithm is not taken here"));
}

#[tokio::test]
async fn an_issuer_out_of_reach_is_a_failure_and_no_refusal() {
    let jwks = Jwks::Url(format!("http://127.0.0.1:{}/jwks", free_port()));
    let world = World::behind(Ground::Memory, Gate::of(None, Some(authenticator(jwks))));
    let response = exchange(&world, by(&bearer(&signed(&claims("admin"))), get("/v1/aliases"))).await;
    assert_eq!((response.status().as_u16(), challenge(&response)), (503, ""));
    assert!(response.headers().contains_key(RETRY_AFTER));
    assert_eq!(exchange(&world, get("/v1/aliases")).await.status(), 401);
    // Health reports it, even to a caller whose token cannot be checked.
    for asked in [get("/v1/health"), by(&bearer(&signed(&claims("operator"))), get("/v1/health"))] {
        let health = exchange(&world, asked).await;
        let told: Value = serde_json::from_slice(health.body()).unwrap();
        assert_eq!((health.status().as_u16(), &told["status"]), (200, &json!("degraded")), "{told}");
        let expected =
            "the keys that access tokens are checked with cannot be read; no such token is accepted";
        assert_eq!((&told["problems"], told.get("credentials")), (&json!([expected]), None));
    }
}

#[test]
fn a_server_takes_the_tokens_of_an_issuer() {
    let published = Published::new();
    let folder = tempfile::tempdir().unwrap();
    let keys = published.path();
    let server = Server::over(
        folder.path(),
        &["--jwks", keys.to_str().unwrap(), "--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE],
    );
    let body = json!({"media_hash": media("a").to_string(), "manifest": {}});
    let post = |credential: Option<String>| {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut request = agent.post(format!("{}/v1/proofs", server.url()));
        if let Some(credential) = credential {
            request = request.header("authorization", credential);
        }
        request.header("content-type", "application/json").send(body.to_string()).unwrap().status().as_u16()
    };
    let token = |scope| Some(bearer(&signed(&claims(scope))));
    assert_eq!(post(None), 401);
    assert_eq!(post(token("delete:manifests")), 403);
    assert_eq!(post(token("store:manifests")), 201);
}

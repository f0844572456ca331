use std::collections::BTreeSet;

use super::*;
use crate::access::Visibility;
use crate::bounds::{DEFAULT_LINK_SECONDS, DEFAULT_PAGE};
use crate::file::{ListPlace, MediaPath};
use crate::hash::MediaHash;
use crate::http::query::Query;
use crate::link::Signature;
use crate::manifest_key::ManifestKey;
use crate::object::ObjectKey;
use crate::proof_id::ProofId;
use crate::tenant::Tenant;

const ID: &str = "ym32rzlpvukwoewqzin4wsrs3w55fqze";

const SIGNED: &str = "expires=1&key=a&life=0&signature=AA";

fn signature() -> Signature {
    Signature::read(&Query::parse(SIGNED).unwrap()).unwrap().unwrap()
}

fn place() -> ListPlace {
    ListPlace { entity: "item/a:7".parse().unwrap(), collection: "item-photo".parse().unwrap() }
}

fn media(name: &str, signature: Option<Signature>, download: bool) -> Route {
    let path = MediaPath { file: ID.parse().unwrap(), name: name.parse().unwrap() };
    // The address is written as it is read.
    assert_eq!(path.to_string(), format!("/media/{ID}/{name}"));
    Route::Media(Media::Read { path, signature, download })
}

fn parse(method: &str, target: &str) -> Result<Route, Problem> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Route::parse(&method.parse().unwrap(), path, query)
}

#[test]
fn every_path_of_the_api() {
    let id: ProofId = ID.parse().unwrap();
    assert_eq!(id, ProofId::derive(&Tenant::default(), &MediaHash::of(b"")));
    let record =
        Route::Reads(Reads::Object { key: ObjectKey::Record(id), signature: None, form: Form::Content });
    let urn = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
    let manifest =
        Route::Reads(Reads::PlainManifest { id: urn.parse().unwrap(), signature: None, form: Form::Content });
    let of_acme = ManifestKey { id: urn.parse().unwrap(), tenant: "acme".parse().unwrap() };
    let read = |key| Route::Reads(Reads::Object { key, signature: None, form: Form::Content });
    let hash = MediaHash::of(b"").to_string();
    let hex = hash.strip_prefix("sha256:").unwrap();
    for (method, target, route) in [
        ("POST", "/v1/proofs", Route::Proofs(Proofs::Store)),
        (
            "GET",
            "/v1/proofs?limit=7&after=x",
            Route::Proofs(Proofs::List { after: Some("x".into()), limit: 7 }),
        ),
        ("GET", "/v1/proofs", Route::Proofs(Proofs::List { after: None, limit: DEFAULT_PAGE })),
        ("GET", &format!("/v1/proofs?media_hash={hash}"), record.clone()),
        ("GET", &format!("/v1/proofs?media_hash={}", hash.replace(':', "%3A")), record.clone()),
        ("GET", &format!("/proofs/by-hash/{hex}"), record.clone()),
        ("HEAD", &format!("/v1/proofs/{ID}"), record.clone()),
        ("GET", &format!("/proofs/{ID}"), record),
        ("GET", "/v1/proofs/p-1", Route::Reads(Reads::Alias("p-1".parse().unwrap()))),
        ("GET", "/v1/aliases", Route::Aliases(Aliases::List { after: None, limit: DEFAULT_PAGE })),
        (
            "GET",
            "/v1/aliases?after=x&limit=3",
            Route::Aliases(Aliases::List { after: Some("x".into()), limit: 3 }),
        ),
        ("PUT", "/v1/aliases/urn%3Aold:7", Route::Aliases(Aliases::Bind("urn:old:7".parse().unwrap()))),
        (
            "DELETE",
            &format!("/v1/aliases/p-1?proof={ID}"),
            Route::Aliases(Aliases::Withdraw { id: "p-1".parse().unwrap(), proof: id }),
        ),
        ("GET", "/v1/manifests?limit=2", Route::Manifests(Manifests::List { after: None, limit: 2 })),
        ("HEAD", "/proofs/urn%3Aold:7", Route::Reads(Reads::Alias("urn:old:7".parse().unwrap()))),
        (
            "GET",
            &format!("/v1/proofs/{ID}/2"),
            Route::Reads(Reads::Object {
                key: ObjectKey::Revision(id, 2),
                signature: None,
                form: Form::Content,
            }),
        ),
        ("PUT", &format!("/v1/proofs/{ID}"), Route::Proofs(Proofs::Supersede(id))),
        ("DELETE", &format!("/v1/proofs/{ID}"), Route::Proofs(Proofs::Delete(id))),
        (
            "GET",
            &format!("/v1/proofs/{ID}/url"),
            Route::Proofs(Proofs::SignLink { id, expires_in: DEFAULT_LINK_SECONDS }),
        ),
        ("POST", "/v1/proofs/batch-delete", Route::Proofs(Proofs::BatchDelete)),
        (
            "POST",
            "/v1/manifests",
            Route::Manifests(Manifests::Store {
                visibility: Visibility::Public,
                tenant: None,
                imported: false,
            }),
        ),
        (
            "POST",
            "/v1/manifests?visibility=private&tenant=acme&imported=true",
            Route::Manifests(Manifests::Store {
                visibility: Visibility::Private,
                tenant: Some("acme".parse().unwrap()),
                imported: true,
            }),
        ),
        ("GET", &format!("/v1/manifests/{urn}"), manifest.clone()),
        (
            "GET",
            &format!("/manifests/{}", urn.to_uppercase().replace("URN:C2PA", "urn:c2pa")),
            manifest.clone(),
        ),
        ("GET", &format!("/manifests/{}?x=1", urn.replace(':', "%3A")), manifest),
        (
            "GET",
            &format!("/v1/proofs/{ID}?form=stored"),
            Route::Reads(Reads::Object { key: ObjectKey::Record(id), signature: None, form: Form::Stored }),
        ),
        (
            "DELETE",
            &format!("/v1/manifests/{urn}"),
            Route::Manifests(Manifests::Delete { id: urn.parse().unwrap(), tenant: None, imported: false }),
        ),
        ("GET", &format!("/tenants/acme/manifests/{urn}"), read(ObjectKey::Manifest(of_acme.clone()))),
        ("HEAD", &format!("/v1/tenants/acme/manifests/{urn}"), read(ObjectKey::Manifest(of_acme.clone()))),
        (
            "GET",
            &format!("/v1/tenants/default/manifests/{urn}"),
            read(ObjectKey::Manifest(urn.parse().unwrap())),
        ),
        (
            "DELETE",
            &format!("/v1/tenants/acme/manifests/{urn}"),
            Route::Manifests(Manifests::Delete {
                id: of_acme.id,
                tenant: Some(of_acme.tenant),
                imported: false,
            }),
        ),
        ("GET", &format!("/v1/manifests/{urn}/front"), read(ObjectKey::Front(urn.parse().unwrap()))),
        (
            "PUT",
            &format!("/v1/manifests/{urn}/front"),
            Route::Manifests(Manifests::DecideFront(urn.parse().unwrap())),
        ),
        (
            "PUT",
            &format!("/v1/manifests/{urn}/visibility"),
            Route::Manifests(Manifests::ChangeVisibility { id: urn.parse().unwrap(), tenant: None }),
        ),
        (
            "PUT",
            &format!("/v1/tenants/acme/manifests/{urn}/visibility"),
            Route::Manifests(Manifests::ChangeVisibility {
                id: urn.parse().unwrap(),
                tenant: Some("acme".parse().unwrap()),
            }),
        ),
        ("POST", "/v1/migrations", Route::Migrations(Migrations::Begin)),
        (
            "HEAD",
            "/v1/migrations/archive-2019?after=a%2Fb",
            Route::Migrations(Migrations::Show {
                job: "archive-2019".parse().unwrap(),
                after: Some("a/b".into()),
            }),
        ),
        (
            "DELETE",
            "/v1/migrations/a",
            Route::Migrations(Migrations::Remove { job: "a".parse().unwrap(), abandon: false }),
        ),
        (
            "DELETE",
            "/v1/migrations/a?abandon=true",
            Route::Migrations(Migrations::Remove { job: "a".parse().unwrap(), abandon: true }),
        ),
        ("OPTIONS", "/v1/migrations/a", Route::Options("GET, HEAD, DELETE, OPTIONS")),
        ("POST", "/v1/uploads", Route::Uploads(Uploads::Announce)),
        ("POST", "/v1/uploads/sign", Route::Uploads(Uploads::Sign)),
        ("HEAD", &format!("/v1/uploads/{ID}"), Route::Uploads(Uploads::Show(ID.parse().unwrap()))),
        ("DELETE", &format!("/v1/uploads/{ID}"), Route::Uploads(Uploads::Abort(ID.parse().unwrap()))),
        (
            "POST",
            &format!("/v1/uploads/{ID}/parts"),
            Route::Uploads(Uploads::AddressParts(ID.parse().unwrap())),
        ),
        (
            "POST",
            &format!("/v1/uploads/{ID}/complete"),
            Route::Uploads(Uploads::Complete(ID.parse().unwrap())),
        ),
        (
            "PUT",
            &format!("/v1/uploads/{ID}/bytes?part=7&{SIGNED}"),
            Route::Uploads(Uploads::Receive {
                id: ID.parse().unwrap(),
                part: Some(7),
                signature: signature(),
            }),
        ),
        (
            "GET",
            "/v1/files?entity=item/4711&owner=auth0%7C7&collection=temp&limit=7&after=x",
            Route::Files(Files::Find {
                entity: Some("item/4711".parse().unwrap()),
                owner: Some("auth0|7".parse().unwrap()),
                collection: Some("temp".parse().unwrap()),
                after: Some("x".into()),
                limit: 7,
            }),
        ),
        ("POST", "/v1/files/batch-delete", Route::Files(Files::BatchDelete)),
        ("GET", &format!("/v1/files/{ID}"), Route::Files(Files::Show(ID.parse().unwrap()))),
        ("PATCH", &format!("/v1/files/{ID}"), Route::Files(Files::Change(ID.parse().unwrap()))),
        ("DELETE", &format!("/v1/files/{ID}"), Route::Files(Files::Delete(ID.parse().unwrap()))),
        (
            "POST",
            &format!("/v1/files/{ID}/renditions"),
            Route::Files(Files::Render { id: ID.parse().unwrap(), only_missing: false, profile: None }),
        ),
        (
            "POST",
            &format!("/v1/files/{ID}/renditions?only_missing=true&profile=large"),
            Route::Files(Files::Render {
                id: ID.parse().unwrap(),
                only_missing: true,
                profile: Some("large".parse().unwrap()),
            }),
        ),
        (
            "GET",
            &format!("/v1/files/{ID}/audit?limit=3&after=x"),
            Route::Files(Files::Audit { id: ID.parse().unwrap(), after: Some("x".into()), limit: 3 }),
        ),
        (
            "GET",
            &format!("/v1/files/{ID}/url?name=large.webp&expires_in=60&download=true"),
            Route::Files(Files::SignLink {
                id: ID.parse().unwrap(),
                name: "large.webp".parse().unwrap(),
                expires_in: 60,
                download: true,
            }),
        ),
        (
            "GET",
            &format!("/v1/files/{ID}/url"),
            Route::Files(Files::SignLink {
                id: ID.parse().unwrap(),
                name: "original".parse().unwrap(),
                expires_in: DEFAULT_LINK_SECONDS,
                download: false,
            }),
        ),
        ("GET", "/v1/entities/item/a:7/item-photo", Route::Entities(Entities::Show(place()))),
        ("PUT", "/v1/entities/item/a%3A7/item-photo", Route::Entities(Entities::Put(place()))),
        ("POST", "/v1/entities/item/a:7/item-photo", Route::Entities(Entities::Change(place()))),
        ("PUT", "/v1/entities/item/a:7/item-photo/only", Route::Entities(Entities::PutOnly(place()))),
        ("GET", &format!("/media/{ID}/large"), media("large", None, false)),
        ("HEAD", &format!("/v1/media/{ID}/large.jpg?download=true"), media("large.jpg", None, true)),
        ("GET", &format!("/media/{ID}/original?{SIGNED}"), media("original", Some(signature()), false)),
        ("OPTIONS", &format!("/v1/files/{ID}"), Route::Options("GET, HEAD, PATCH, DELETE, OPTIONS")),
        ("GET", "/v1/health", Route::Documents(Documents::Health)),
        ("GET", "/v1/stats", Route::Documents(Documents::Stats)),
        ("GET", "/v1/openapi.json", Route::Documents(Documents::OpenApi)),
        ("OPTIONS", "/v1/manifests", Route::Options("GET, HEAD, POST, OPTIONS")),
    ] {
        assert!(Route::names().any(|name| name == route.name()), "{}", route.name());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let scope = Route::scope_of(&method.parse().unwrap(), path, query);
        assert_eq!(scope, route.scope(), "{method} {target}");
        assert_eq!(parse(method, target), Ok(route), "{method} {target}");
    }
}

#[test]
fn what_is_no_path_of_the_api() {
    for (method, target, status) in [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/proofs/", 400),
        ("GET", "/v2/proofs", 404),
        ("GET", "/stats", 404),
        ("PATCH", "/v1/proofs", 405),
        ("DELETE", &format!("/proofs/{ID}"), 405),
        ("GET", "/v1/proofs/batch-delete", 405),
        ("GET", "/v1/proofs/..%2f..", 400),
        ("GET", "/v1/proofs/%ff", 400),
        ("PUT", "/v1/proofs/p-1", 400),
        ("DELETE", "/v1/proofs/p-1", 400),
        ("GET", &format!("/v1/proofs/{ID}/0"), 400),
        ("GET", &format!("/v1/proofs/{ID}/01"), 400),
        ("GET", &format!("/v1/proofs/{ID}/1/2"), 404),
        ("GET", "/v1/manifests/..", 400),
        ("GET", "/v1/manifests/urn:a%2Fb", 400),
        ("GET", "/v1/manifests/a/b", 404),
        ("GET", "/manifests/urn:x/front", 404),
        ("DELETE", "/v1/manifests/urn:x/front", 405),
        ("GET", "/v1/manifests/urn:x/visibility", 405),
        ("POST", "/v1/tenants/acme/manifests/urn:x/visibility", 405),
        ("DELETE", "/v1/manifests/urn:x?import=true", 400),
        ("DELETE", "/v1/tenants/acme/manifests/urn:x?tenant=acme", 400),
        ("PUT", "/v1/tenants/A/manifests/urn:x/visibility", 400),
        ("PUT", "/tenants/acme/manifests/urn:x/visibility", 404),
        ("POST", "/v1/manifests?visibility=hidden", 400),
        ("POST", "/v1/manifests?visible=private", 400),
        ("GET", "/v1/tenants", 404),
        ("GET", "/v1/tenants/A/manifests/urn:x", 400),
        ("GET", "/v1/tenants/acme/manifests/x", 400),
        ("DELETE", "/tenants/acme/manifests/urn:x", 405),
        ("PUT", "/v1/tenants/acme/manifests/urn:x", 405),
        ("GET", "/v1/proofs?limit=1001", 400),
        ("GET", "/v1/proofs?offset=1", 400),
        ("GET", &format!("/proofs/by-hash/{}?tennant=a", "0".repeat(64)), 400),
        ("GET", &format!("/v1/proofs?media_hash={}&limit=1", MediaHash::of(b"")), 400),
        ("GET", &format!("/v1/proofs/{ID}?form=gzip"), 400),
        ("GET", "/v1/proofs/p-1?form=gzip", 400),
        ("GET", "/v1/proofs/p-1?expires=1", 403),
        ("GET", &format!("/v1/proofs/{ID}/url?expires_in=604801"), 400),
        ("GET", "/v1/migrations", 405),
        ("GET", "/aliases", 404),
        ("POST", "/v1/aliases", 405),
        ("GET", "/v1/aliases/p-1", 405),
        ("PUT", "/v1/aliases/..", 400),
        ("DELETE", "/v1/aliases/p-1", 400),
        ("DELETE", "/v1/aliases/p-1?proof=x", 400),
        ("DELETE", &format!("/v1/aliases/p-1?proof={ID}&x=1"), 400),
        ("GET", "/v1/aliases?limit=0", 400),
        ("GET", "/v1/manifests?media_hash=x", 400),
        ("PUT", "/v1/migrations/a", 405),
        ("DELETE", "/v1/migrations/a?abandon=yes", 400),
        ("DELETE", "/v1/migrations/a?after=x", 400),
        ("DELETE", "/v1/migrations/Not-a-name", 400),
        ("POST", "/migrations", 404),
        ("GET", "/v1/migrations/Not-a-name", 400),
        ("GET", "/v1/migrations/a?limit=1", 400),
        ("GET", "/v1/migrations/a/items", 404),
        ("GET", "/v1/uploads", 405),
        ("GET", "/v1/uploads/x", 400),
        ("GET", "/v1/uploads/sign", 405),
        ("GET", &format!("/uploads/{ID}"), 404),
        ("PUT", &format!("/v1/uploads/{ID}"), 405),
        ("PUT", &format!("/v1/uploads/{ID}/bytes"), 403),
        ("PUT", &format!("/v1/uploads/{ID}/bytes?expires=1"), 403),
        ("PUT", &format!("/v1/uploads/{ID}/bytes?part=0&{SIGNED}"), 400),
        ("PUT", &format!("/v1/uploads/{ID}/bytes?part=10001&{SIGNED}"), 400),
        ("PUT", &format!("/v1/uploads/{ID}/bytes?parts=1&{SIGNED}"), 400),
        ("POST", "/v1/files", 405),
        ("GET", "/v1/files?entity=item", 400),
        ("GET", "/v1/files?owner=a%20b", 400),
        ("GET", "/v1/files?collection=A", 400),
        ("GET", "/v1/files?type=item", 400),
        ("GET", "/v1/files/x", 400),
        ("PUT", &format!("/v1/files/{ID}"), 405),
        ("GET", &format!("/files/{ID}"), 404),
        ("GET", &format!("/v1/files/{ID}/url?name=large.gif"), 400),
        ("GET", &format!("/v1/files/{ID}/url?download=1"), 400),
        ("GET", "/v1/entities/item/1", 404),
        ("GET", "/v1/entities/Item/1/temp", 400),
        ("GET", "/v1/entities/item/a%20b/temp", 400),
        ("GET", "/v1/entities/item/1/Temp", 400),
        ("GET", "/v1/entities/item/1/temp/only", 405),
        ("DELETE", "/v1/entities/item/1/temp", 405),
        ("GET", "/media/x/large", 400),
        ("GET", &format!("/media/{ID}"), 404),
        ("GET", &format!("/media/{ID}/large.gif"), 400),
        ("GET", &format!("/media/{ID}/large?expires=1"), 403),
        ("PUT", &format!("/media/{ID}/large"), 405),
        ("GET", &format!("/v1/manifests/{}", "x".repeat(9_000)), 414),
    ] {
        let problem = parse(method, target).expect_err(target);
        assert_eq!(problem.kind.status().as_u16(), status, "{method} {target}: {problem}");
    }
}

#[test]
fn readers_that_there_are_not_are_told_and_cut() {
    for (said, told) in [
        ("hidden".to_owned(), "not `hidden`".to_owned()),
        ("x".repeat(1_000), format!("not `{}…`", "x".repeat(300))),
    ] {
        let problem = parse("POST", &format!("/v1/manifests?visibility={said}")).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("visibility"));
        assert!(problem.detail.contains(&told), "{}", problem.detail);
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let problem = parse("PATCH", "/v1/proofs").unwrap_err();
    assert_eq!(problem.headers[0].1, "GET, HEAD, POST, OPTIONS");
}

#[test]
fn every_path_allows_what_it_takes() {
    for path in PATHS.iter().copied().flatten().chain(reads::PUBLIC_PATHS) {
        let mut allow: Vec<&str> = Vec::new();
        for (method, allowed) in [
            (Method::GET, &["GET", "HEAD"][..]),
            (Method::POST, &["POST"]),
            (Method::PUT, &["PUT"]),
            (Method::PATCH, &["PATCH"]),
            (Method::DELETE, &["DELETE"]),
            (Method::OPTIONS, &["OPTIONS"]),
        ] {
            if method == Method::OPTIONS || path.endpoint(&method).is_some() {
                allow.extend(allowed);
            }
        }
        assert_eq!(path.allow, allow.join(", "), "{:?}", path.segments);
        assert!(path.segments.iter().filter(|segment| **segment == "*").count() <= 3, "{:?}", path.segments);
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let names: Vec<&str> = Route::names().collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert_eq!(names.len(), 46);
}

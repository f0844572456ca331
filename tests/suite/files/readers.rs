//! Reading and changing files: owners by their JSON Web Tokens, other owners, and callers without a credential.

use http::Method;
use serde_json::json;

use super::client::Client;
use super::pictures::{document, png};
use crate::http::auth::issuer::{AUDIENCE, ISSUER, Published, claims, signed, with};
use crate::server::Server;

/// A server that asks for JSON Web Tokens.
pub(super) struct Site {
    pub(super) server: Server,
    _published: Published,
    _folder: tempfile::TempDir,
}

impl Site {
    pub(super) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with variables.
    pub(super) fn with(variables: &[(&str, &str)]) -> Self {
        let (published, folder) = (Published::new(), tempfile::tempdir().unwrap());
        let keys = published.path();
        let arguments =
            ["--jwks", keys.to_str().unwrap(), "--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE];
        let server = Server::with(&folder.path().join("data"), &arguments, variables);
        Self { server, _published: published, _folder: folder }
    }

    pub(super) fn client(&self, subject: &str, scope: &str) -> Client {
        let token = signed(&with(claims(scope), "sub", subject));
        Client::with_token(self.server.url(), &token)
    }
}

#[test]
fn a_private_file_of_another_owner_is_absent() {
    let site = Site::start();
    let (anna, bert) = (site.client("anna", "media:write"), site.client("bert", "media:write"));
    let (admin, nobody) = (site.client("backend", "media:admin"), Client::new(site.server.url()));
    let text = document(3_000, 9);
    let announced = anna.announce("verification-document", "application/pdf", text.len(), &json!({}));
    let upload = format!("/v1/uploads/{}", announced.json()["id"].as_str().unwrap());
    for (client, status) in [(&anna, 200), (&admin, 200), (&bert, 404), (&nobody, 401)] {
        assert_eq!(client.get(&upload).status, status);
    }
    assert_eq!(bert.delete(&upload).status, 404);
    anna.put(&announced.json(), &text);
    let id = anna.ended(upload.trim_start_matches("/v1/uploads/"))["file"].as_str().unwrap().to_owned();
    let (file, media) = (format!("/v1/files/{id}"), format!("/media/{id}/original"));
    for (client, status) in [(&anna, 200), (&admin, 200), (&bert, 404), (&nobody, 404)] {
        assert_eq!((client.get(&file).status, client.get(&media).status), (status, status));
    }
    let read = anna.get(&media);
    assert_eq!((read.body.as_slice(), read.header("cache-control")), (&text[..], "private, no-store"));
    // It is as absent as one that never was.
    let never = bert.get(&format!("/v1/files/{}", "a".repeat(32)));
    let mut private = bert.get(&file).json();
    private["detail"] = json!(private["detail"].as_str().unwrap().replace(&id, &"a".repeat(32)));
    private["request_id"] = never.json()["request_id"].clone();
    assert_eq!(private, never.json());
    let change = json!({"alt": "mine"});
    assert_eq!(bert.json(&Method::PATCH, &file, &[], &change).status, 404);
    assert_eq!(bert.delete(&file).status, 404);
    assert_eq!(bert.get(&format!("{file}/url")).status, 404);
    // A link opens it for whoever has it, until it is changed.
    let link = anna.get(&format!("{file}/url?name=original&expires_in=60")).json();
    let url = link["url"].as_str().unwrap();
    assert_eq!(nobody.get(url).body, text);
    let forged = url.replace("life=0", "life=1");
    assert_eq!(nobody.get(&forged).problem(), "invalid-link");
    assert_eq!(nobody.get(&url.replace("original", "large.jpg")).problem(), "invalid-link");
    // Widening is what the collection forbids.
    let wide = anna.json(&Method::PATCH, &file, &[], &json!({"access": "public"}));
    assert_eq!((wide.status, wide.problem().as_str()), (400, "invalid-field"));
    assert_eq!(anna.delete(&file).status, 204);
    assert_eq!((nobody.get(&file).status, anna.get(&file).status), (404, 410));
}

#[test]
fn a_public_file_is_everybodys_to_read_and_its_owners_to_change() {
    let site = Site::start();
    let (anna, bert) = (site.client("anna", "media:write"), site.client("bert", "media:write"));
    let nobody = Client::new(site.server.url());
    let entity = json!({"entity": {"type": "item", "id": "1"}, "filename": "secret name.png"});
    let id = anna.file("item-photo", "image/png", &png(80, 60, 40), &entity);
    let file = format!("/v1/files/{id}");
    assert_eq!(nobody.get(&format!("/media/{id}/medium")).status, 200);
    // The picture as it came is for its owner: it may tell where it was taken.
    assert_eq!(nobody.get(&format!("/media/{id}/original")).status, 404);
    assert_eq!(bert.get(&format!("/media/{id}/original")).status, 404);
    assert_eq!(anna.get(&format!("/media/{id}/original")).status, 200);
    let (public, own) = (nobody.get(&file).json(), anna.get(&file).json());
    assert_eq!((public.get("owner"), public.get("filename")), (None, None));
    assert!(public["urls"].get("original").is_none());
    assert_eq!((&own["owner"], &own["filename"]), (&json!("anna"), &json!("secret name.png")));
    assert_eq!(nobody.list("item/1/item-photo").0, std::slice::from_ref(&id));
    let change = json!({"alt": "mine"});
    for (client, status) in [(&nobody, 401), (&bert, 403), (&anna, 200)] {
        assert_eq!(client.json(&Method::PATCH, &file, &[], &change).status, status);
    }
    let detach = json!({"detach": id});
    assert_eq!(bert.post("/v1/entities/item/1/item-photo", &detach).status, 403);
    // Private from now on, at once.
    let private = anna.json(&Method::PATCH, &file, &[], &json!({"access": "private"}));
    assert_eq!(private.status, 200);
    assert_eq!(nobody.get(&format!("/media/{id}/medium")).status, 404);
    assert_eq!(nobody.list("item/1/item-photo").0, Vec::<String>::new());
    let authenticated = anna.json(&Method::PATCH, &file, &[], &json!({"access": "authenticated"}));
    assert_eq!(authenticated.status, 200);
    assert_eq!(nobody.get(&format!("/media/{id}/medium")).status, 404);
    let read = bert.get(&format!("/media/{id}/medium"));
    assert_eq!((read.status, read.header("cache-control")), (200, "private, no-store"));
}

#[test]
fn a_list_is_changed_by_the_owner_of_its_files_and_tells_others_nothing() {
    let site = Site::start();
    let (anna, bert) = (site.client("anna", "media:write"), site.client("bert", "media:write"));
    let admin = site.client("backend", "media:admin");
    let entity = json!({"entity": {"type": "user", "id": "anna"}});
    let place = "user/anna/verification-document";
    let path = format!("/v1/entities/{place}");
    let (_, never) = bert.list("user/anna/verification-document");
    let first = anna.file("verification-document", "application/pdf", &document(700, 60), &entity);
    let foreign = bert.file("verification-document", "application/pdf", &document(700, 61), &json!({}));
    // To others the list is as if nobody had used it.
    assert_eq!(bert.list(place), (vec![], never.clone()));
    let refused = |answer: &crate::files::client::Answer, what: &str| {
        let told = answer.json().to_string();
        assert_eq!((answer.status, answer.problem().as_str()), (403, "other-owner"), "{what}: {told}");
        assert!(!told.contains(&first), "{what}: {told}");
    };
    let announced = bert.announce("verification-document", "application/pdf", 10, &entity);
    refused(&announced, "announces");
    refused(&bert.post(&path, &json!({"attach": foreign, "position": 0})), "attaches");
    refused(&bert.post(&path, &json!({"detach": first})), "detaches");
    for tag in ["*", never.as_str(), "\"other\""] {
        let put = bert.json(&Method::PUT, &path, &[("if-match", tag)], &json!({"files": []}));
        refused(&put, tag);
    }
    let only = bert.json(&Method::PUT, &format!("{path}/only"), &[], &json!({"file": foreign}));
    refused(&only, "replaces all");
    let (list, tag) = anna.list(place);
    assert_eq!(list, std::slice::from_ref(&first));
    // An administrator may put it there, and only that owner and an administrator take it out again.
    assert_eq!(admin.post(&path, &json!({"attach": foreign})).status, 200);
    assert_eq!(bert.list(place).0, std::slice::from_ref(&foreign));
    assert_ne!(anna.list(place).1, tag);
    let cleared = anna.json(&Method::PUT, &path, &[("if-match", "*")], &json!({"files": [first]}));
    assert_eq!((cleared.status, cleared.problem().as_str()), (403, "other-owner"));
    assert!(!cleared.json().to_string().contains(&foreign));
    assert_eq!(admin.post(&path, &json!({"detach": foreign})).status, 200);
    // Once it is empty, it is anybody's.
    assert_eq!(anna.post(&path, &json!({"detach": first})).status, 200);
    assert_eq!(bert.post(&path, &json!({"attach": foreign})).status, 200);
}

#[test]
fn uploads_are_for_the_subject_or_by_an_administrator_of_media() {
    let site = Site::start();
    let (anna, admin) = (site.client("anna", "media:write"), site.client("backend", "media:admin"));
    let picture = png(40, 40, 41);
    let announce = |client: &Client, owner: &str| {
        client.announce("item-photo", "image/png", picture.len(), &json!({"owner": owner}))
    };
    assert_eq!(announce(&anna, "bert").problem(), "insufficient-scope");
    assert_eq!(announce(&anna, "anna").status, 201);
    let upload = announce(&admin, "anna").json();
    admin.put(&upload, &picture);
    // The owner sees what was uploaded on her behalf.
    let id = anna.ended(upload["id"].as_str().unwrap())["file"].as_str().unwrap().to_owned();
    assert_eq!(anna.get(&format!("/v1/files/{id}")).json()["owner"], "anna");
    let none = Client::new(site.server.url()).announce("item-photo", "image/png", 10, &json!({}));
    assert_eq!(none.status, 401);
    let wrong = site.client("anna", "store:manifests").announce("item-photo", "image/png", 10, &json!({}));
    assert_eq!(wrong.problem(), "insufficient-scope");
}

//! The ways that bytes take to become a file.

use std::io::Write as _;
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::pictures::{document, measured, png, signed};
use super::readers::Site;
use crate::server::Server;

/// A collection of large documents.
const ARCHIVE: &str = r#"{"version": 1, "collections": {"archive": {
    "version": 1, "types": ["application/pdf"], "max_bytes": 200000000, "access": "public",
    "metadata": {"published": "keep"}
}}}"#;

#[test]
fn a_picture_is_sent_by_one_put_and_read_in_all_its_renditions() {
    let server = Server::start();
    let client = Client::new(server.url());
    let picture = png(1_000, 500, 1);
    let hash = MediaHash::of(&picture);
    let more = json!({"sha256": hash, "entity": {"type": "item", "id": "1"}, "filename": "bicycle.png"});
    let announced = client.announce("item-photo", "image/png", picture.len(), &more);
    assert_eq!(announced.status, 201, "{}", announced.json());
    let upload = announced.json();
    assert_eq!((&upload["state"], &upload["method"]), (&json!("pending"), &json!("put")));
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    assert_eq!(announced.header("location"), path);
    assert_eq!(client.get(&path).json()["percent"], 0);
    let sent = client.put(&upload, &picture);
    assert_eq!((sent.status, sent.body.len()), (204, 0), "{}", sent.json());
    let ended = client.ended(upload["id"].as_str().unwrap());
    assert_eq!((&ended["state"], &ended["percent"]), (&json!("ready"), &json!(100)), "{ended}");
    let id = ended["file"].as_str().unwrap();

    let file = client.get(&format!("/v1/files/{id}"));
    assert_eq!(file.status, 200);
    let file = file.json();
    assert_eq!((&file["width"], &file["height"]), (&json!(1_000), &json!(500)));
    assert_eq!((&file["media_hash"], &file["filename"]), (&json!(hash), &json!("bicycle.png")));
    assert_eq!(file["entity"], json!({"type": "item", "id": "1"}));
    assert!(file["thumbhash"].as_str().is_some_and(|hash| !hash.is_empty()));
    let names: Vec<&str> =
        file["renditions"].as_array().unwrap().iter().map(|made| made["name"].as_str().unwrap()).collect();
    let sizes = ["thumbnail-1", "medium-1", "large-1"];
    let expected: Vec<String> =
        sizes.iter().flat_map(|name| [format!("{name}.jpg"), format!("{name}.webp")]).collect();
    assert_eq!(names, expected);
    for (name, accept, kind, width) in [
        ("thumbnail", "image/webp,*/*", "image/webp", 300),
        ("thumbnail", "*/*", "image/jpeg", 300),
        ("medium.webp", "*/*", "image/webp", 800),
        ("large.jpg", "image/webp", "image/jpeg", 1_000),
    ] {
        let read = client.send(&Method::GET, &format!("/media/{id}/{name}"), &[("accept", accept)], &[]);
        assert_eq!((read.status, read.header("content-type")), (200, kind), "{name} {accept}");
        assert_eq!(measured(&read.body), (width, width / 2, kind), "{name} {accept}");
        assert_eq!(read.header("cache-control"), "public, max-age=2592000, immutable");
        assert_eq!(read.header("vary").contains("accept"), !name.contains('.'), "{name}");
    }
    assert_eq!(client.get(&format!("/media/{id}/original")).body, picture);
    assert_eq!(client.list("item/1/item-photo").0, [id]);

    // A downloaded rendition leads to the original.
    let made = &file["renditions"][0];
    let proof = client.get(&format!("/v1/proofs/{}", made["proof"].as_str().unwrap()));
    assert_eq!(proof.status, 200);
    let said = proof.json()["manifest"]["json"].clone();
    let expected = json!({
        "relation": "rendition", "of": hash, "proof": ProofId::derive(&Tenant::default(), &hash),
        "profile": "thumbnail@1", "format": "image/jpeg", "width": 300, "height": 150,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&said[name], value, "{name}: {said}");
    }

    // `complete` is a hint, and changes nothing.
    for _ in 0..2 {
        let told = client.send(&Method::POST, &format!("{path}/complete"), &[], &[]);
        assert_eq!((told.status, &told.json()["file"]), (202, &json!(id)));
    }
    assert_eq!(client.put(&upload, &picture).problem(), "upload-conflict");
    assert_eq!(client.delete(&path).problem(), "upload-conflict");
}

#[test]
fn an_address_is_signed_for_a_client_that_asks_for_each_request() {
    let server = Server::start();
    let client = Client::new(server.url());
    let picture = png(200, 200, 9);
    let mut body = json!({
        "method": "PUT", "collection": "item-photo", "type": "image/png", "size": picture.len(), "filename": "a.png",
    });
    let signed = client.post("/v1/uploads/sign", &body);
    assert_eq!(signed.status, 200, "{}", signed.json());
    let signed = signed.json();
    assert_eq!(signed["headers"], json!({}), "a browser states the length itself");
    body["key"] = signed["key"].clone();
    let again = client.post("/v1/uploads/sign", &body).json();
    assert_eq!(again["key"], signed["key"], "it is announced once");
    let sent = client.send(&Method::PUT, again["url"].as_str().unwrap(), &[], &picture);
    assert_eq!(sent.status, 204, "{}", sent.json());
    let ended = client.ended(signed["key"].as_str().unwrap());
    assert_eq!(ended["state"], "ready", "{ended}");
    assert_eq!(client.post("/v1/uploads/sign", &body).problem(), "upload-conflict");
    body["partNumber"] = json!(1);
    assert_eq!(client.post("/v1/uploads/sign", &body).problem(), "invalid-field");
    let large = json!({"method": "PUT", "collection": "temp", "type": "image/png", "size": 100_000_001});
    assert_eq!(client.post("/v1/uploads/sign", &large).problem(), "too-large");
    let key = json!({
        "method": "PUT", "collection": "temp", "type": "image/png", "size": 1, "key": "a".repeat(32),
    });
    assert_eq!(client.post("/v1/uploads/sign", &key).problem(), "not-found");
}

#[test]
fn ranges_and_conditions_hold_for_media() {
    let server = Server::start();
    let client = Client::new(server.url());
    let id = client.file("item-photo", "image/png", &png(400, 300, 2), &json!({}));
    let path = format!("/media/{id}/thumbnail.jpg");
    let whole = client.get(&path);
    let get = |headers: &[(&str, &str)]| client.send(&Method::GET, &path, headers, &[]);
    let part = get(&[("range", "bytes=10-19")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[10..20]));
    assert_eq!(part.header("content-range"), format!("bytes 10-19/{}", whole.body.len()));
    let last = get(&[("range", "bytes=-5")]);
    assert_eq!((last.status, last.body.as_slice()), (206, &whole.body[whole.body.len() - 5..]));
    assert_eq!(get(&[("range", "bytes=99999999-")]).status, 416);
    let known = get(&[("if-none-match", whole.header("etag"))]);
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(get(&[("if-match", "\"other\"")]).status, 412);
    let head = client.send(&Method::HEAD, &path, &[], &[]);
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
    let unknown = client.get(&format!("/media/{id}/huge.jpg"));
    assert_eq!((unknown.status, unknown.problem().as_str()), (404, "not-found"));
}

/// Sends a part, and returns the status.
fn send_part(client: &Client, address: &Value, bytes: &[u8], part_size: usize) -> u16 {
    let number = usize::try_from(address["number"].as_u64().unwrap()).unwrap();
    let start = part_size * (number - 1);
    let part = &bytes[start..bytes.len().min(start + part_size)];
    client.send(&Method::PUT, address["url"].as_str().unwrap(), &[], part).status
}

#[test]
fn a_large_file_goes_in_parts_and_goes_on_after_the_server_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let collections = folder.path().join("collections.json");
    std::fs::write(&collections, ARCHIVE).unwrap();
    let data = folder.path().join("data");
    let variables = [("CREDLINK_COLLECTIONS", collections.to_str().unwrap())];
    let mut server = Server::with(&data, &[], &variables);
    let mut client = Client::new(server.url());
    let bytes = document(100_000_001, 3);
    let announced = client.announce("archive", "application/pdf", bytes.len(), &json!({}));
    assert_eq!(announced.status, 201, "{}", announced.json());
    let upload = announced.json();
    assert_eq!((&upload["method"], &upload["parts"]), (&json!("multipart"), &json!(12)));
    let part_size = usize::try_from(upload["part_size"].as_u64().unwrap()).unwrap();
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    let addresses = |client: &Client, numbers: &[u64]| {
        let answer = client.post(&format!("{path}/parts"), &json!({"numbers": numbers}));
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["parts"].as_array().unwrap().clone()
    };
    for address in addresses(&client, &[2, 5, 12]) {
        assert_eq!(send_part(&client, &address, &bytes, part_size), 204, "{address}");
    }
    // A part that breaks off does not count, and neither does one of another length.
    let address = &addresses(&client, &[1])[0];
    break_off(server.url(), address["url"].as_str().unwrap(), part_size, &bytes[..1_000_000]);
    let short = client.send(&Method::PUT, address["url"].as_str().unwrap(), &[], &bytes[..10]);
    assert_eq!((short.status, short.problem().as_str()), (400, "invalid-field"));
    let early = client.send(&Method::POST, &format!("{path}/complete"), &[], &[]);
    assert_eq!((early.status, early.problem().as_str()), (409, "upload-incomplete"));
    assert_eq!(early.json()["missing_parts"], json!([1, 3, 4, 6, 7, 8, 9, 10, 11]));

    server.kill();
    server = Server::with(&data, &[], &variables);
    client = Client::new(server.url());
    let state = client.get(&path).json();
    assert_eq!((&state["state"], &state["arrived"]), (&json!("uploading"), &json!([2, 5, 12])), "{state}");
    let missing: Vec<u64> = (1..=12).filter(|number| ![2, 5, 12].contains(number)).collect();
    for address in addresses(&client, &missing) {
        assert_eq!(send_part(&client, &address, &bytes, part_size), 204, "{address}");
    }
    let ended = client.ended(upload["id"].as_str().unwrap());
    assert_eq!(ended["state"], "ready", "{ended}");
    let id = ended["file"].as_str().unwrap();
    let file = client.get(&format!("/v1/files/{id}")).json();
    assert_eq!(file["media_hash"], json!(MediaHash::of(&bytes)));
    let end = format!("bytes={}-", bytes.len() - 7);
    let read = client.send(&Method::GET, &format!("/media/{id}/original"), &[("range", &end)], &[]);
    assert_eq!((read.status, read.body.as_slice()), (206, &bytes[bytes.len() - 7..]));
    assert_eq!(read.header("cache-control"), "public, max-age=604800, immutable");
    assert!(!data.join("uploads/default").join(upload["id"].as_str().unwrap()).exists());
}

/// Begins to send a body of `length` bytes, and breaks the connection off after `bytes`.
fn break_off(server: &str, url: &str, length: usize, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.trim_start_matches("http://")).unwrap();
    let path = url.trim_start_matches(server);
    let host = server.trim_start_matches("http://");
    write!(stream, "PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n").unwrap();
    stream.write_all(bytes).unwrap();
}

#[test]
fn a_put_that_breaks_off_leaves_nothing_and_is_repeated() {
    let server = Server::start();
    let client = Client::new(server.url());
    let picture = png(300, 300, 4);
    let upload = client.announce("item-photo", "image/png", picture.len(), &json!({})).json();
    let url = upload["put"]["url"].as_str().unwrap();
    break_off(server.url(), url, picture.len(), &picture[..picture.len() / 2]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    assert_eq!(client.get(&path).json()["bytes"], 0);
    // An address is renewed as part 1.
    let renewed = client.post(&format!("{path}/parts"), &json!({"numbers": [1]})).json();
    let sent = client.send(&Method::PUT, renewed["parts"][0]["url"].as_str().unwrap(), &[], &picture);
    assert_eq!(sent.status, 204, "{}", sent.json());
    assert_eq!(client.ended(upload["id"].as_str().unwrap())["state"], "ready");
}

#[test]
fn an_aborted_upload_is_over() {
    let server = Server::start();
    let client = Client::new(server.url());
    let picture = png(50, 50, 5);
    let upload = client.announce("item-photo", "image/png", picture.len(), &json!({})).json();
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    assert_eq!(client.delete(&path).status, 204);
    assert_eq!(client.delete(&path).status, 204, "again");
    let state = client.get(&path).json();
    assert_eq!((&state["state"], &state["reason"]), (&json!("rejected"), &json!("aborted")));
    assert_eq!(client.put(&upload, &picture).problem(), "upload-conflict");
}

#[test]
fn equal_content_is_stored_once_and_outlives_one_of_its_files() {
    let server = Server::start();
    let client = Client::new(server.url());
    let picture = png(320, 200, 6);
    let (one, two) = (
        client.file("item-photo", "image/png", &picture, &json!({})),
        client.file("item-photo", "image/png", &picture, &json!({})),
    );
    assert_ne!(one, two);
    let blob = |id: &str| client.get(&format!("/v1/files/{id}")).json()["blob"].clone();
    assert_eq!(blob(&one), blob(&two));
    assert_eq!(client.delete(&format!("/v1/files/{one}")).status, 204);
    assert_eq!(client.delete(&format!("/v1/files/{one}")).status, 204, "again");
    assert_eq!(client.get(&format!("/v1/files/{one}")).status, 410);
    assert_eq!(client.get(&format!("/media/{one}/thumbnail.jpg")).status, 410);
    assert_eq!(client.get(&format!("/media/{two}/thumbnail.jpg")).status, 200);
    let three = client.file("item-photo", "image/png", &picture, &json!({}));
    assert_eq!(blob(&three), blob(&two));
}

#[test]
fn a_file_is_changed_and_cut_around_another_point() {
    let server = Server::start();
    let client = Client::new(server.url());
    let id = client.file("profile-photo", "image/png", &png(900, 300, 7), &json!({}));
    let path = format!("/v1/files/{id}");
    let before = client.get(&path);
    let squares = client.get(&format!("/media/{id}/square.jpg"));
    assert_eq!((squares.status, measured(&squares.body)), (200, (300, 300, "image/jpeg")));
    let etag = before.header("etag").to_owned();
    let change = json!({"focal": {"x": 1.0, "y": 0.5}, "alt": "A person", "access": "private"});
    let changed = client.json(&Method::PATCH, &path, &[("if-match", &etag)], &change);
    assert_eq!(changed.status, 200, "{}", changed.json());
    let file = changed.json();
    assert_eq!(
        (&file["alt"], &file["access"], &file["revision"]),
        (&json!("A person"), &json!("private"), &json!(2))
    );
    assert!(file["renditions"][0]["name"].as_str().unwrap().contains("~8400x5000"), "{file}");
    let anew = client.get(&format!("/media/{id}/square.jpg"));
    assert_eq!((anew.status, measured(&anew.body)), (200, (300, 300, "image/jpeg")));
    assert_ne!(anew.body, squares.body);
    let late = client.json(&Method::PATCH, &path, &[("if-match", &etag)], &change);
    assert_eq!(late.status, 412);
    // Browsers that keep the old one for a month ask for the new one.
    let url = |record: &Value, name: &str| record["urls"][name].as_str().unwrap().to_owned();
    assert_ne!(url(&file, "square"), url(&before.json(), "square"));
    assert_eq!(url(&file, "medium"), url(&before.json(), "medium"));
    let wrong = client.json(&Method::PATCH, &path, &[], &json!({"alt": ""}));
    assert_eq!((wrong.status, wrong.problem().as_str()), (400, "invalid-field"));
    let again = client.send(&Method::POST, &format!("{path}/renditions"), &[], &[]);
    assert_eq!((again.status, &again.json()["revision"]), (200, &json!(2)), "{}", again.json());
}

#[test]
fn many_files_are_deleted_at_once() {
    let server = Server::start();
    let client = Client::new(server.url());
    let ids: Vec<String> =
        (10..13).map(|seed| client.file("item-photo", "image/png", &png(40, 40, seed), &json!({}))).collect();
    let absent = "a".repeat(32);
    let body = json!({"ids": [ids[0], ids[1], absent, "no id"]});
    let answer = client.post("/v1/files/batch-delete", &body);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["deleted"], json!([ids[0], ids[1]]));
    let failed = answer.json()["failed"].as_array().unwrap().clone();
    let kinds: Vec<&str> = failed.iter().map(|one| one["problem"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["not-found", "invalid-field"]);
    assert_eq!(client.get(&format!("/v1/files/{}", ids[0])).status, 410);
    assert_eq!(client.get(&format!("/v1/files/{}", ids[2])).status, 200);
}

/// A downloaded rendition leads back to its original, whatever file of the same content came first.
#[test]
fn the_proofs_of_a_public_file_are_public_also_after_a_private_one() {
    let (picture, manifest) = signed("image/png", png(400, 200, 60), 0);
    let site = Site::start();
    let (owner, anybody) = (site.client("anna", "media:write"), Client::new(site.server.url()));
    let proofs = |file: &Value| {
        let renditions = file["renditions"].as_array().unwrap().iter().map(|made| made["proof"].clone());
        let all: Vec<String> =
            renditions.chain([file["proof"].clone()]).map(|id| id.as_str().unwrap().to_owned()).collect();
        assert!(all.len() > 4, "{file}");
        all
    };
    let statuses = |file: &Value| {
        let read = |id: &String| anybody.get(&format!("/v1/proofs/{id}")).status;
        proofs(file).iter().map(read).collect::<std::collections::BTreeSet<u16>>()
    };
    let document = |id: &str| owner.get(&format!("/v1/files/{id}")).json();
    let private = owner.file("item-photo", "image/png", &picture, &json!({"access": "private"}));
    let private = document(&private);
    assert_eq!(statuses(&private), [404].into());
    let public = document(&owner.file("item-photo", "image/png", &picture, &json!({})));
    assert_eq!(proofs(&public), proofs(&private));
    assert_eq!(statuses(&public), [200].into());
    let id = anybody.get(&format!("/v1/proofs/{}", public["proof"].as_str().unwrap())).json();
    let id = id["manifest"]["id"].as_str().unwrap().to_owned();
    assert_eq!(anybody.get(&format!("/v1/manifests/{id}")).body, manifest);

    // The same by a change of one file.
    let other = owner.file("item-photo", "image/png", &png(300, 300, 61), &json!({"access": "private"}));
    let before = document(&other);
    let made = before["renditions"].as_array().unwrap().clone();
    let read = |made: &Value| anybody.get(&format!("/v1/proofs/{}", made["proof"].as_str().unwrap())).status;
    assert!(!made.is_empty() && made.iter().all(|made| read(made) == 404));
    let path = format!("/v1/files/{other}");
    for access in ["public", "private"] {
        assert_eq!(owner.json(&Method::PATCH, &path, &[], &json!({"access": access})).status, 200);
        // A proof that was public stays so.
        assert!(made.iter().all(|made| read(made) == 200), "{access}");
    }
}

#[test]
fn copies_of_two_originals_lead_to_the_one_that_their_readers_may_see_and_that_has_credentials() {
    let site = Site::start();
    let (owner, anybody) = (site.client("anna", "media:write"), Client::new(site.server.url()));
    let file = |picture: &[u8], access: &str| {
        let id = owner.file("item-photo", "image/png", picture, &json!({"access": access}));
        owner.get(&format!("/v1/files/{id}")).json()
    };
    let of = |reader: &Client, file: &Value| {
        let renditions = file["renditions"].as_array().unwrap();
        assert!(renditions.len() > 2, "{file}");
        let origin = |made: &Value| {
            let answer = reader.get(&format!("/v1/proofs/{}", made["proof"].as_str().unwrap()));
            assert_eq!(answer.status, 200, "{made}");
            answer.json()["manifest"]["json"]["of"].clone()
        };
        let all: std::collections::BTreeSet<String> =
            renditions.iter().map(|made| origin(made).to_string()).collect();
        assert_eq!(all.len(), 1);
        all.into_iter().next().unwrap()
    };
    let hash = |picture: &[u8]| json!(MediaHash::of(picture)).to_string();

    // The same pixels: first without credentials, then with them, and without again.
    let plain = png(400, 200, 62);
    let (with, _) = signed("image/png", plain.clone(), 0);
    let first = file(&plain, "public");
    assert_eq!(of(&anybody, &first), hash(&plain));
    let second = file(&with, "public");
    let copies = |file: &Value| {
        let all = file["renditions"].as_array().unwrap().iter();
        all.map(|made| (made["sha256"].clone(), made["proof"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(copies(&first), copies(&second));
    assert_eq!(of(&anybody, &second), hash(&with));
    let mut more = plain.clone();
    more.extend_from_slice(b"and more");
    let third = file(&more, "public");
    assert_eq!((copies(&third), of(&anybody, &third)), (copies(&first), hash(&with)));

    // A private one is for its owner, until a public one has the same copies.
    let plain = png(400, 200, 63);
    let (with, _) = signed("image/png", plain.clone(), 0);
    let hidden = file(&with, "private");
    assert_eq!(of(&owner, &hidden), hash(&with));
    let proof = hidden["renditions"][0]["proof"].as_str().unwrap();
    assert_eq!(anybody.get(&format!("/v1/proofs/{proof}")).status, 404);
    let shown = file(&plain, "public");
    assert_eq!(copies(&shown), copies(&hidden));
    assert_eq!(of(&anybody, &shown), hash(&plain));
    // Nobody learns of the private one by what comes later.
    let again = file(&with, "private");
    assert_eq!((copies(&again), of(&anybody, &shown)), (copies(&shown), hash(&plain)));
}

/// The right to upload files is not the right to change what a signer has stored about the same bytes.
#[test]
fn an_upload_leaves_the_proofs_of_others_as_they_are() {
    let plain = png(400, 200, 64);
    let (with, manifest) = signed("image/png", plain.clone(), 0);
    // Another site makes the same copies.
    let copy = {
        let site = Site::start();
        let owner = site.client("anna", "media:write");
        let id = owner.file("item-photo", "image/png", &plain, &json!({}));
        owner.get(&format!("/media/{id}/thumbnail.jpg")).body
    };
    let site = Site::start();
    let (owner, signer) = (site.client("anna", "media:write"), site.client("signer", "store:manifests"));
    let other = ProofId::derive(&Tenant::default(), &MediaHash::of(b"another original"));
    let of_copy = json!({
        "media_hash": MediaHash::of(&copy), "tags": {"case": "4711"}, "visibility": "private",
        "manifest": {"relation": "rendition", "proof": other, "own": "words"},
    });
    let of_original = json!({
        "media_hash": MediaHash::of(&with), "visibility": "private",
        "manifest_base64": STANDARD.encode(&manifest), "expires_in": 86_400,
    });
    let stored: Vec<Value> = [of_copy, of_original]
        .iter()
        .map(|body| {
            let answer = signer.json(&Method::POST, "/v1/proofs", &[], body);
            assert_eq!(answer.status, 201, "{}", answer.json());
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            signer.get(&format!("/v1/proofs/{id}")).json()
        })
        .collect();
    let id = owner.file("item-photo", "image/png", &with, &json!({}));
    assert_eq!(owner.get(&format!("/media/{id}/thumbnail.jpg")).body, copy);
    for before in stored {
        let path = format!("/v1/proofs/{}", before["id"].as_str().unwrap());
        assert_eq!(signer.get(&path).json(), before);
        assert_eq!(Client::new(site.server.url()).get(&path).status, 404);
    }
}

#[test]
fn the_manifest_in_a_picture_is_its_proof() {
    let (picture, manifest) = signed("image/png", png(200, 100, 50), 0);
    let server = Server::start();
    let client = Client::new(server.url());
    let id = client.file("item-photo", "image/png", &picture, &json!({}));
    let file = client.get(&format!("/v1/files/{id}")).json();
    let expected = ProofId::derive(&Tenant::default(), &MediaHash::of(&picture)).to_string();
    assert_eq!(file["proof"], json!(expected));
    let proof = client.get(&format!("/v1/proofs/{expected}")).json();
    assert_eq!(proof["manifest"]["sha256"], json!(Digest::of(&manifest)), "{proof}");
    let served = client.get(&format!("/v1/manifests/{}", proof["manifest"]["id"].as_str().unwrap()));
    assert_eq!(served.body, manifest);
}

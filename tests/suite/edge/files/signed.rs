//! A rendition with a signed manifest, fetched from the edge, and read by the stock reader of C2PA.

use bytes::Bytes;
use c2pa::ValidationState;
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_ports::Objects as _;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::edge::seeds::until;
use crate::engines::edge::Edge;
use crate::files::client::Client;
use crate::files::signed::{CERTIFICATE, KEY, collections, original, read};
use crate::http::ask::get;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rendition_from_the_edge_is_valid_and_has_its_original_as_its_ingredient() {
    let edge = Edge::start().await;
    let mut variables: Vec<(&str, String)> = edge.as_fallback().into();
    variables.extend([
        ("CREDLINK_COLLECTIONS", collections().to_string()),
        ("CREDLINK_SIGN_CERTIFICATE", CERTIFICATE.to_owned()),
        ("CREDLINK_SIGN_KEY", KEY.to_owned()),
    ]);
    let uploaded = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let server = Server::with(folder.path(), &[], &variables);
        let client = Client::new(server.url());
        let id = client.file("redacted", "image/png", &original(90, None), &json!({}));
        let file = client.get(&format!("/v1/files/{id}")).json();
        let proof = client.get(&format!("/v1/proofs/{}", file["proof"].as_str().unwrap())).json();
        (server, folder, id, proof)
    });
    let (_server, _folder, id, proof): (_, _, String, Value) = uploaded.await.unwrap();
    let (objects, record) = (edge.objects(), ObjectKey::Media(MediaKey::File(id.parse().unwrap())));
    until("the replica follows", async || objects.get(&record).await.unwrap().is_some()).await;
    for (name, format) in [("card.jpg", "image/jpeg"), ("face.webp", "image/webp")] {
        let served = edge.send(get(&format!("/media/{id}/{name}"))).await;
        assert_eq!(
            (served.status().as_u16(), served.headers()[CONTENT_TYPE].to_str().unwrap()),
            (200, format)
        );
        let picture: Bytes = served.into_body();
        // The reader blocks its thread.
        let seen = tokio::task::spawn_blocking(move || {
            let (reader, codes) = read(format, &picture, false);
            let ingredients = reader.active_manifest().unwrap().ingredients().to_vec();
            (reader.validation_state(), codes, ingredients, reader.active_label().unwrap().to_owned())
        });
        let (state, codes, ingredients, label) = seen.await.unwrap();
        assert_eq!(state, ValidationState::Valid, "{name}: {codes:?}");
        assert_eq!(codes, ["signingCredential.untrusted"; 2], "{name}: the tests' authority is no anchor");
        let [ingredient] = &ingredients[..] else { panic!("{name}: {ingredients:?}") };
        assert!(ingredient.is_parent(), "{name}");
        assert_eq!(ingredient.active_manifest(), proof["manifest"]["id"].as_str(), "{name}");
        // The manifest is at the edge too.
        let manifest = edge.send(get(&format!("/manifests/{label}"))).await;
        assert_eq!(manifest.status().as_u16(), 200, "{name}: {label}");
    }
}

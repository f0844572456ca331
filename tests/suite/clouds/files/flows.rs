//! Files through their life, with the rights of the functions' roles.

use credlink_core::hash::MediaHash;
use credlink_core::row::{Row, State};
use credlink_core::time::Timestamp;
use http::Method;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH,
    LOCATION, VARY,
};
use serde_json::json;

use super::*;
use crate::edge::origin::Origin;
use crate::edge::seeds::slow;
use crate::engines::edge::Edge;
use crate::engines::proxy::{Fault, Proxy};
use crate::engines::{ministack, r2};
use crate::files::pictures::{document, measured, png};

#[tokio::test]
async fn an_upload_becomes_a_file_by_the_event_of_the_bucket() {
    let site = Site::watched().await;
    let picture = png(1_000, 500, 1);
    let more = json!({"entity": {"type": "item", "id": "1"}, "sha256": MediaHash::of(&picture)});
    let upload = site.upload(&picture, &more).await;
    // Whoever asks for the state has what is whole received.
    assert_eq!(site.state(&upload).await["state"], "received");
    let messages = site.messages("ObjectCreated:Put").await;
    assert!(messages.iter().any(|body| body.contains("s3:TestEvent")), "{messages:?}");
    let finaliser = site.start("finalise");
    assert_eq!(finalise(&finaliser, &messages).await, [""; 0]);
    let state = site.state(&upload).await;
    assert_eq!((&state["state"], &state["percent"]), (&json!("ready"), &json!(100)), "{state}");
    let id = state["file"].as_str().unwrap();
    assert_eq!(site.keys("uploads/").await, [""; 0]);
    site.assert_sound("a file").await;

    // No function sends bytes: each reader is sent to the bucket.
    for (name, accept, kind, width) in [
        ("medium", "image/webp,*/*", "image/webp", 800),
        ("medium", "*/*", "image/jpeg", 800),
        ("thumbnail.webp", "*/*", "image/webp", 300),
    ] {
        let read = with(ask(Method::GET, &format!("/media/{id}/{name}")), ACCEPT, accept);
        let sent = site.send_as(None, read).await;
        assert_eq!(sent.headers().contains_key(VARY), !name.contains('.'), "{name}");
        assert_eq!(sent.headers()[CACHE_CONTROL], "private, no-store", "the address is a credential");
        let read = follow(&sent, Method::GET).await;
        assert_eq!((read.status().as_u16(), read.headers()[CONTENT_TYPE].to_str().unwrap()), (200, kind));
        assert_eq!(read.headers()[CACHE_CONTROL], "public, max-age=2592000, immutable");
        assert_eq!(measured(read.body()), (width, width / 2, kind), "{name}");
    }
    let original = format!("/media/{id}/original");
    assert_eq!(site.send_as(None, ask(Method::GET, &original)).await.status(), 404);
    let read = follow(&site.send(ask(Method::GET, &original)).await, Method::GET).await;
    assert_eq!(read.body(), &picture);
    assert_eq!(read.headers()[CONTENT_TYPE], "image/png");
    assert_eq!(read.headers()[CACHE_CONTROL], "private, no-store");
    // The address in the bucket is signed for `GET` alone, so `HEAD` has its answer here.
    let head = site.send(ask(Method::HEAD, &original)).await;
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    for (name, value) in [(CONTENT_TYPE, "image/png"), (CACHE_CONTROL, "private, no-store")] {
        assert_eq!(head.headers()[&name], value);
    }
    assert_eq!(head.headers()[CONTENT_LENGTH], picture.len().to_string().as_str());
    // And so have conditions, which the bucket would compare with a tag of its own.
    let tag = head.headers()[ETAG].to_str().unwrap().to_owned();
    for (method, condition, value, status) in [
        (Method::GET, IF_NONE_MATCH, &*tag, 304),
        (Method::HEAD, IF_NONE_MATCH, &*tag, 304),
        (Method::GET, IF_MATCH, "\"other\"", 412),
        (Method::GET, IF_NONE_MATCH, "\"other\"", 307),
    ] {
        let sent = site.send(with(ask(method, &original), condition, value)).await;
        assert_eq!(sent.status(), status, "{value}");
        assert_eq!(sent.headers().contains_key(LOCATION), status == 307);
    }
    let signed = site.send(ask(Method::GET, &format!("/v1/files/{id}/url?name=original"))).await;
    let link = parsed(&signed)["url"].as_str().unwrap().to_owned();
    let link = link.strip_prefix(super::super::ground::PUBLIC_URL).unwrap();
    let read = follow(&site.send_as(None, ask(Method::GET, link)).await, Method::GET).await;
    assert_eq!(read.body(), &picture);

    // The finaliser also answers the requests that render pictures.
    let path = format!("/v1/files/{id}");
    let changed = site.send(with_body(Method::PATCH, &path, &json!({"alt": "a bicycle"}))).await;
    assert_eq!((changed.status().as_u16(), &parsed(&changed)["alt"]), (200, &json!("a bicycle")));
    let made = site.send(ask(Method::POST, &format!("{path}/renditions"))).await;
    assert_eq!((made.status().as_u16(), parsed(&made)["renditions"].as_array().unwrap().len()), (200, 6));
    let list = site.get("/v1/entities/item/1/item-photo").await;
    assert_eq!(list["files"][0]["alt"], "a bicycle", "{list}");
    let audit = site.get(&format!("{path}/audit")).await;
    assert_eq!(audit["entries"], json!([]), "the file is public: {audit}");
    let detach = with_body(Method::POST, "/v1/entities/item/1/item-photo", &json!({"detach": id}));
    assert_eq!(site.send(detach).await.status(), 200);

    assert_eq!(site.send(ask(Method::DELETE, &path)).await.status(), 204);
    assert_eq!(site.send(ask(Method::GET, &path)).await.status(), 410);
    assert_eq!(site.quota().await, (0, 0, 0, 0));
    // A day later, the blob goes.
    let blob = site.rows().await.into_iter().find_map(Row::blob).unwrap();
    assert_eq!((blob.holders, site.keys("media/").await.len()), (0, 7));
    let unheld = Some(Timestamp::from_milliseconds(1));
    site.commit(Row::Blob(credlink_core::row::BlobRow { unheld, version: blob.version + 1, ..blob })).await;
    let run = site.clean_up().await;
    assert_eq!(run["files"], json!({"done": 1, "failed": 0}), "{run}");
    assert_eq!(site.keys("media/").await, [""; 0]);
    let blob = site.rows().await.into_iter().find_map(Row::blob).unwrap();
    assert!(matches!(blob.state, State::Deleted(_)), "{blob:?}");
    site.watch.as_ref().unwrap().assert_allowed(&[
        "store s3:PutObject",
        "store dynamodb:UpdateItem",
        "retrieve s3:GetObject",
        "delete s3:PutObject",
        "finalise s3:GetObject",
        "finalise s3:PutObject",
        "finalise s3:DeleteObject",
        "finalise dynamodb:UpdateItem",
        "cleanup s3:DeleteObject",
    ]);
}

#[tokio::test]
async fn an_address_is_signed_for_a_client_that_asks_for_each_request() {
    let site = Site::watched().await;
    let picture = png(400, 300, 8);
    let body =
        json!({"method": "PUT", "collection": "item-photo", "type": "image/png", "size": picture.len()});
    let signed = site.send(with_body(Method::POST, "/v1/uploads/sign", &body)).await;
    assert_eq!(signed.status(), 200, "{:?}", signed.body());
    let signed = parsed(&signed);
    let upload = signed["key"].as_str().unwrap();
    let mut body = body;
    body["key"] = json!(upload);
    let again = parsed(&site.send(with_body(Method::POST, "/v1/uploads/sign", &body)).await);
    assert_eq!(again["key"], signed["key"], "{again}");
    assert_eq!(put(&again, picture).await, 200);
    let messages = site.messages("ObjectCreated:Put").await;
    assert_eq!(finalise(&site.start("finalise"), &messages).await, [""; 0]);
    assert_eq!(site.state(upload).await["state"], "ready");
    site.watch.as_ref().unwrap().assert_allowed(&["store s3:PutObject", "store dynamodb:UpdateItem"]);
}

/// A collection of large documents.
const ARCHIVE: &str = r#"{"version": 1, "collections": {"archive": {
    "version": 1, "types": ["application/pdf"], "max_bytes": 200000000, "access": "public",
    "metadata": {"published": "keep"}
}}}"#;

#[tokio::test]
async fn a_large_file_goes_in_parts_and_is_joined_by_the_service() {
    let origin = Origin::start().await;
    let edge = Edge::with(slow().into_iter().chain([("CREDLINK_ORIGIN_URL", origin.url().to_owned())])).await;
    let cdn = edge.url();
    let site = Site::new(&[("CREDLINK_COLLECTIONS", ARCHIVE), ("CREDLINK_CDN_URL", cdn)]).await;
    let bytes = document(100_000_001, 5);
    let upload = site.announce("archive", "application/pdf", bytes.len(), &json!({})).await;
    assert_eq!((&upload["method"], &upload["parts"]), (&json!("multipart"), &json!(12)));
    let size = usize::try_from(upload["part_size"].as_u64().unwrap()).unwrap();
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    let numbers: Vec<u64> = (1..=12).collect();
    let asked = with_body(Method::POST, &format!("{path}/parts"), &json!({"numbers": numbers}));
    let addresses = parsed(&site.send(asked).await);
    let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
    for (address, piece) in addresses["parts"].as_array().unwrap().iter().zip(&pieces).rev() {
        if address["number"] == 7 {
            continue;
        }
        assert_eq!(put(address, piece.to_vec()).await, 200, "{address}");
    }
    let complete = || ask(Method::POST, &format!("{path}/complete"));
    let early = site.send(complete()).await;
    assert_eq!((early.status().as_u16(), &parsed(&early)["missing_parts"]), (409, &json!([7])));
    assert_eq!(put(&addresses["parts"][6], pieces[6].to_vec()).await, 200);
    assert_eq!(site.state(upload["id"].as_str().unwrap()).await["percent"], 100);
    assert_eq!(site.send(complete()).await.status(), 202);
    // The service joined the parts, so there is the message of the service and the event of the bucket.
    let mut messages = site.messages("CompleteMultipartUpload").await;
    if messages.iter().all(|body| !body.contains("\"work\"")) {
        messages.extend(site.messages("\"work\"").await);
    }
    let finaliser = site.start("finalise");
    assert_eq!(finalise(&finaliser, &messages).await, [""; 0]);
    let state = site.state(upload["id"].as_str().unwrap()).await;
    assert_eq!(state["state"], "ready", "{state}");
    let id = state["file"].as_str().unwrap();
    let file = site.get(&format!("/v1/files/{id}")).await;
    assert_eq!(file["media_hash"], json!(MediaHash::of(&bytes)));
    // Public bytes are on the domain of the edge.
    let path = format!("/media/{id}/original?download=true");
    let sent = site.send_as(None, ask(Method::GET, &path)).await;
    let there = format!("{cdn}{path}");
    assert_eq!((sent.status().as_u16(), sent.headers()[LOCATION].to_str().unwrap()), (307, there.as_str()));
    assert_eq!(sent.headers()[CACHE_CONTROL], "public, max-age=60");
    // The edge asks the function for what R2 lacks, and for so many bytes in any case. It must not be sent to itself.
    let answer = site.send_as(None, ask(Method::GET, &format!("/v1{path}"))).await;
    origin.answer_with(move |request| request.uri().path().starts_with("/v1/media/").then(|| answer.clone()));
    let sent = edge.send(ask(Method::GET, &path)).await;
    assert_eq!(sent.status(), 307, "{sent:?}");
    assert_eq!(sent.headers()[CACHE_CONTROL], "private, no-store");
    assert_eq!(origin.asked().pop().unwrap().target, format!("/v1{path}"));
    let read = follow(&sent, Method::GET).await;
    assert!(read.status() == 200 && read.body() == &bytes, "{:?}", read.headers());
    assert_eq!(read.headers()[CONTENT_DISPOSITION], "attachment");
    site.assert_sound("a large file").await;
}

/// A reader is sent to the bucket that answers.
#[tokio::test]
async fn while_the_primary_is_out_readers_are_sent_to_the_fallback() {
    let site = Site::over(Ground::pair().await, &[], None).await;
    let picture = png(400, 300, 4);
    let upload = site.upload(&picture, &of_item()).await;
    let messages = site.messages("ObjectCreated:Put").await;
    assert_eq!(finalise(&site.start("finalise"), &messages).await, [""; 0]);
    let id = site.state(&upload).await["file"].as_str().unwrap().to_owned();
    let proxy = Proxy::to(ministack::endpoint().trim_start_matches("http://").parse().unwrap());
    let retrieve = site.start_with("retrieve", &[("STORAGE_ENDPOINT", proxy.url())]);
    let get = async |id: &str| {
        let asked = ask(Method::GET, &format!("/media/{id}/thumbnail.jpg"));
        response(&retrieve.invoke(event(&asked)).await.unwrap())
    };
    let place = |sent: &Response<Bytes>| sent.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(place(&get(&id).await).starts_with(&proxy.url()));
    proxy.set(Fault::Refuse);
    // Five failures in a row open the breaker.
    for absent in ["a", "b", "c", "d", "e"] {
        assert_eq!(get(&absent.repeat(32)).await.status(), 503);
    }
    let sent = get(&id).await;
    assert!(place(&sent).starts_with(r2::endpoint()), "{}", place(&sent));
    let read = follow(&sent, Method::GET).await;
    assert_eq!(measured(read.body()), (300, 225, "image/jpeg"));
}

#[tokio::test]
async fn what_nobody_spoke_of_is_found_and_what_did_not_come_expires() {
    let site = Site::new(&[]).await;
    let picture = png(400, 300, 2);
    let arrived = site.upload(&picture, &of_item()).await;
    let never = site.announce("item-photo", "image/png", 10, &json!({})).await;
    let never = never["id"].as_str().unwrap();
    // The event is lost.
    site.messages("ObjectCreated:Put").await;
    for upload in [arrived.as_str(), never] {
        site.let_be_due(upload).await;
    }
    let run = site.clean_up().await;
    assert_eq!(run["files"], json!({"done": 2, "failed": 0}), "{run}");
    assert_eq!(site.state(never).await["state"], "expired");
    assert_eq!(site.state(&arrived).await["state"], "received");
    let messages = site.messages(&arrived).await;
    assert_eq!(finalise(&site.start("finalise"), &messages).await, [""; 0]);
    assert_eq!(site.state(&arrived).await["state"], "ready");
    assert_eq!(site.quota().await, (picture.len() as u64, 0, 1, 0));
    site.assert_sound("after the sweep").await;
}

#[tokio::test]
async fn what_is_no_picture_is_rejected() {
    let site = Site::new(&[]).await;
    let upload = site.upload(&png(400, 300, 3)[..5_000], &of_item()).await;
    let messages = site.messages("ObjectCreated:Put").await;
    assert_eq!(finalise(&site.start("finalise"), &messages).await, [""; 0]);
    let state = site.state(&upload).await;
    assert_eq!((&state["state"], &state["reason"]), (&json!("rejected"), &json!("truncated")), "{state}");
    assert_eq!(site.quota().await, (0, 0, 0, 0));
    for prefix in ["uploads/", "media/", "files/"] {
        assert_eq!(site.keys(prefix).await, [""; 0]);
    }
}

#[tokio::test]
async fn messages_that_are_about_nothing_here_come_again() {
    let site = Site::new(&[]).await;
    let finaliser = site.start("finalise");
    let other = r#"{"version":1,"request_id":"r","work":"replicate","to":"fallback","keys":["manifests/x"]}"#;
    let foreign = r#"{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"object":{"key":"proofs/x"}}}]}"#;
    let unknown =
        r#"{"version":1,"request_id":"r","work":"finalise","upload":"a4dqobyha4dqobyha4dqobyha4dqobyh"}"#;
    let bodies = [other, foreign, "poison", unknown].map(str::to_owned);
    // An upload that is not there any more has no file to become.
    assert_eq!(finalise(&finaliser, &bodies).await, bodies[..3]);
    // Another function leaves messages about uploads alone.
    let migrate = site.start("migrate");
    let done = migrate.invoke_within(TIME_LIMIT, batch_of([("m", unknown, 1)].into_iter())).await.unwrap();
    assert_eq!(done["batchItemFailures"][0]["itemIdentifier"], "m");
}

#[tokio::test]
async fn files_need_keys_and_a_queue() {
    let site = Site::new(&[]).await;
    let announce = || {
        let body = json!({"collection": "item-photo", "type": "image/png", "size": 10});
        let request = with_body(Method::POST, "/v1/uploads", &body);
        event(&with(request, AUTHORIZATION, format!("Bearer {}", tokens::OWNER)))
    };
    let answer = async |others: &[(&str, String)]| {
        let answer = site.start_with("store", others).invoke(announce()).await.unwrap();
        response(&answer)
    };
    let refused = answer(&[("CREDLINK_LINK_KEYS", String::new())]).await;
    assert_eq!(refused.status(), 501);
    assert!(parsed(&refused)["detail"].as_str().unwrap().contains("set CREDLINK_LINK_KEYS"), "{refused:?}");
    assert_eq!(answer(&[("CREDLINK_FILES_QUEUE_URL", String::new())]).await.status(), 404);
    assert_eq!(answer(&[]).await.status(), 201);
}

#[tokio::test]
async fn the_rate_of_announcements_is_counted_by_all_processes_together() {
    let site = Site::new(&[("CREDLINK_UPLOADS_PER_MINUTE", "1")]).await;
    let body = json!({"collection": "item-photo", "type": "image/png", "size": 10});
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let request = with_body(Method::POST, "/v1/uploads", &body);
        let request = with(request, AUTHORIZATION, format!("Bearer {}", tokens::OWNER));
        // Each request is answered by a process that has never seen another one.
        let answer = response(&site.start("store").invoke(event(&request)).await.unwrap());
        statuses.push(answer.status().as_u16());
        if answer.status() == 429 {
            let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
        }
    }
    assert_eq!(statuses, [201, 429]);
    assert_eq!(site.quota().await, (0, 10, 0, 1));
}

//! The log of accesses to private documents: who, when, from where, allowed or refused, and never missing.

use credlink_core::object::{MediaKey, ObjectKey};
use credlink_files::Others;
use credlink_ports::doubles::faults::{FaultPlan, Flavour};
use credlink_ports::{Index as _, Objects as _};
use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::ground::{Ground, PICTURE};
use super::pictures::{document, png};
use super::readers::Site;
use crate::server::Server;

/// The entries of a log, page by page.
fn entries(client: &Client, file: &str) -> Vec<Value> {
    let (mut entries, mut after) = (Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("/v1/files/{file}/audit?limit=2{after}"));
        assert_eq!(answer.status, 200, "{}", answer.json());
        let page = answer.json();
        entries.extend(page["entries"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return entries,
        }
    }
}

/// The act, the status and the right of an entry.
fn told(entry: &Value) -> (String, u64, String) {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    (text("act"), entry["status"].as_u64().unwrap(), text("by"))
}

#[test]
fn every_access_to_a_private_document_is_logged() {
    let site = Site::start();
    let (anna, bert) = (site.client("anna", "media:write"), site.client("bert", "media:write"));
    let (admin, nobody) = (site.client("backend", "media:admin"), Client::new(site.server.url()));
    let text = document(3_000, 9);
    let id = anna.file("verification-document", "application/pdf", &text, &json!({}));
    let (media, link) = (format!("/media/{id}/original"), format!("/v1/files/{id}/url?name=original"));
    let mut expected = Vec::new();
    let mut note =
        |act: &str, status: u16, by: &str| expected.push((act.to_owned(), u64::from(status), by.to_owned()));
    for (client, status, by) in
        [(&anna, 200, "owner"), (&admin, 200, "admin"), (&bert, 404, "credential"), (&nobody, 404, "nobody")]
    {
        assert_eq!(client.get(&media).status, status);
        note("read", status, by);
    }
    let part = anna.send(&Method::GET, &media, &[("range", "bytes=0-9")], &[]);
    let head = anna.send(&Method::HEAD, &media, &[], &[]);
    let known = anna.send(&Method::GET, &media, &[("if-none-match", head.header("etag"))], &[]);
    assert_eq!((part.status, head.status, known.status), (206, 200, 304));
    for status in [206, 200, 304] {
        note("read", status, "owner");
    }
    let signed = anna.get(&link);
    assert_eq!(signed.status, 200);
    note("sign_link", 200, "owner");
    assert_eq!(bert.get(&link).status, 404);
    note("sign_link", 404, "credential");
    let url = signed.json()["url"].as_str().unwrap().to_owned();
    assert_eq!(nobody.get(&url).body, text);
    note("read", 200, "link");
    assert_eq!(bert.get(&url).status, 200);
    note("read", 200, "link");
    assert_eq!(nobody.get(&url.replace("life=0", "life=1")).status, 403);
    note("read", 403, "nobody");
    assert_eq!(anna.get(&format!("/media/{id}/large.jpg")).status, 404);
    note("read", 404, "owner");
    // Looking at the record is no access to the bytes.
    assert_eq!(anna.get(&format!("/v1/files/{id}")).status, 200);
    let log = entries(&anna, &id);
    assert_eq!(log.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(log, entries(&admin, &id));
    let mut times: Vec<&str> = log.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    let in_order = times.clone();
    times.sort_unstable();
    assert_eq!(times, in_order);
    for (entry, subject) in log.iter().zip([Some("anna"), Some("backend"), Some("bert"), None]) {
        assert_eq!(entry.get("subject").and_then(Value::as_str), subject);
        assert_eq!((&entry["address"], &entry["name"]), (&json!("127.0.0.1"), &json!("original")));
        assert!(entry["request_id"].as_str().is_some_and(|id| !id.is_empty()));
        assert_eq!((entry.get("file"), entry.get("number")), (None, None));
    }
    assert_eq!(log.last().unwrap()["name"], "large.jpg");
    // The request's ID is the one that the answer had.
    let read = anna.send(&Method::GET, &media, &[("x-request-id", "mine-7")], &[]);
    assert_eq!((read.status, read.header("x-request-id")), (200, "mine-7"));
    assert_eq!(entries(&anna, &id).last().unwrap()["request_id"], "mine-7");
    // The log is for the owner and administrators, and the file absent for others.
    let audit = format!("/v1/files/{id}/audit");
    for (client, status) in [(&bert, 404), (&nobody, 401)] {
        assert_eq!(client.get(&audit).status, status);
    }
    assert_eq!(anna.get(&format!("{audit}?after=x")).problem(), "invalid-field");
    // It outlives the file.
    let before = entries(&anna, &id).len();
    assert_eq!(anna.delete(&format!("/v1/files/{id}")).status, 204);
    assert_eq!(anna.get(&media).status, 410);
    assert_eq!(entries(&anna, &id).len(), before);
    // It is as absent as before for those who could not read it.
    for (client, status) in [(&admin, 410), (&bert, 404), (&nobody, 404)] {
        for path in [&media, &format!("/v1/files/{id}")] {
            assert_eq!(client.get(path).status, status, "{path}");
        }
    }
}

/// Anybody may ask for a file that they may not read, any number of times.
#[test]
fn refusals_to_nobody_in_particular_share_entries() {
    let site = Site::start();
    let (anna, bert) = (site.client("anna", "media:write"), site.client("bert", "media:write"));
    let nobody = Client::new(site.server.url());
    let id = anna.file("verification-document", "application/pdf", &document(3_000, 9), &json!({}));
    let media = format!("/media/{id}/original");
    for _ in 0..100 {
        assert_eq!(nobody.get(&media).status, 404);
    }
    for _ in 0..2 {
        assert_eq!(bert.get(&media).status, 404);
    }
    let log = entries(&anna, &id);
    let of = |by: &str| log.iter().filter(|entry| entry["by"] == by).count();
    // More than one only if a minute passes meanwhile, and then it says how many it stands for.
    assert!((1..=3).contains(&of("nobody")), "{log:?}");
    assert_eq!((&log[0]["by"], log[0].get("times")), (&json!("nobody"), None));
    assert_eq!(of("credential"), 2);
}

#[test]
fn what_is_public_is_not_logged_until_it_is_private() {
    let site = Site::start();
    let (anna, bert) = (site.client("anna", "media:write"), site.client("bert", "media:write"));
    let id = anna.file("item-photo", "image/png", &png(40, 40, 7), &json!({}));
    let media = format!("/media/{id}/thumbnail.jpg");
    assert_eq!(bert.get(&media).status, 200);
    assert!(entries(&anna, &id).is_empty());
    let denied = bert.get(&format!("/v1/files/{id}/audit"));
    assert_eq!((denied.status, denied.problem().as_str()), (403, "other-owner"));
    let private = anna.json(&Method::PATCH, &format!("/v1/files/{id}"), &[], &json!({"access": "private"}));
    assert_eq!(private.status, 200);
    assert_eq!(bert.get(&media).status, 404);
    assert_eq!(anna.get(&media).status, 200);
    let log: Vec<_> = entries(&anna, &id).iter().map(told).collect();
    let (read, owner) = ("read".to_owned(), "owner".to_owned());
    assert_eq!(log, [(read.clone(), 404, "credential".to_owned()), (read, 200, owner)]);
}

#[test]
fn only_a_trusted_proxy_says_from_where() {
    let forwarded = [("x-forwarded-for", "198.51.100.1, 203.0.113.9")];
    for (variables, expected) in [
        (vec![], "127.0.0.1"),
        (vec![("CREDLINK_TRUSTED_PROXIES", "127.0.0.0/8")], "203.0.113.9"),
        (vec![("CREDLINK_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1,203.0.113.9")], "198.51.100.1"),
    ] {
        let site = Site::with(&variables);
        let anna = site.client("anna", "media:write");
        let id = anna.file("temp", "application/pdf", &document(900, 1), &json!({}));
        let read = anna.send(&Method::GET, &format!("/media/{id}/original"), &forwarded, &[]);
        assert_eq!(read.status, 200);
        assert_eq!(entries(&anna, &id)[0]["address"], expected, "{variables:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let refused = Server::refuses(folder.path(), &[("CREDLINK_TRUSTED_PROXIES", "10.0.0.0/33")]);
    assert!(refused.contains("CREDLINK_TRUSTED_PROXIES") && refused.contains("10.0.0.0/33"), "{refused}");
}

/// The log cannot be written, in both ways in which a write fails: then nobody gets the bytes, or a link to them.
#[tokio::test]
async fn a_private_document_is_not_read_without_its_entry() {
    let ground = Ground::new();
    let upload = ground.arrived("temp", PICTURE, &json!({})).await;
    ground.sound().finalise(&upload, Others::Possible).await.unwrap();
    let file = ground.files().await[0].id;
    let (media, link) = (format!("/media/{file}/original"), format!("/v1/files/{file}/url"));
    let log = async || ground.index.accesses(&file, None, 100).await.unwrap().unwrap().items.len();
    for path in [&media, &link] {
        for flavour in [Flavour::Lost, Flavour::Kept] {
            let before = log().await;
            let broken = ground.process(&FaultPlan::from(1, flavour));
            let (status, answer) = broken.send(Method::GET, path, &Value::Null).await;
            assert_eq!(status, 503, "{path} {flavour:?}: {answer}");
            assert_eq!(log().await - before, usize::from(flavour == Flavour::Kept));
        }
        let before = log().await;
        let (status, _) = ground.sound().send(Method::GET, path, &Value::Null).await;
        assert_eq!((status, log().await - before), (200, 1), "{path}");
    }
    // A refusal is the same whether or not it could be logged: otherwise it would tell that there is a file.
    let wrong = format!("{media}?expires=1&key=k&life=0&signature=AAAA");
    let (status, answer) =
        ground.process(&FaultPlan::from(1, Flavour::Lost)).send(Method::GET, &wrong, &Value::Null).await;
    let (same, expected) = ground.sound().send(Method::GET, &wrong, &Value::Null).await;
    assert_eq!((status, &answer["detail"]), (same, &expected["detail"]));
    assert_eq!(status, 403);
    // What fails gives nobody anything, and is no access.
    let blob = ground.rows().await.into_iter().find_map(|row| row.blob()).unwrap().id();
    let original = ObjectKey::Media(MediaKey::Original(blob));
    ground.objects.delete(&original).await.unwrap();
    let before = log().await;
    let (status, _) = ground.sound().send(Method::GET, &media, &Value::Null).await;
    assert!(status >= 500, "{status}");
    assert_eq!(log().await, before);
}

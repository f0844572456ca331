//! Finding files by owner, entity and collection, page by page, and only those that the caller may read.

use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::pictures::{document, png};
use super::readers::Site;

/// The IDs of all pages, and the number of pages.
fn found(client: &Client, query: &str, limit: usize) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut after) = (Vec::new(), 0, String::new());
    loop {
        let answer = client.get(&format!("/v1/files?{query}&limit={limit}{after}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.json());
        let page = answer.json();
        let files = page["files"].as_array().unwrap();
        assert!(files.len() <= limit);
        ids.extend(files.iter().map(|file| file["id"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return (ids, pages),
        }
        assert!(pages < 50, "{query} does not end");
    }
}

fn all(client: &Client, query: &str) -> Vec<String> {
    let (one, two) = (found(client, query, 1), found(client, query, 1_000));
    assert_eq!(one.0, two.0, "{query}");
    two.0
}

fn entity(kind: &str, id: &str) -> Value {
    json!({"entity": {"type": kind, "id": id}})
}

#[test]
fn files_are_found_by_owner_entity_and_collection() {
    let site = Site::start();
    let (anna, bert) = (site.client("anna", "media:write"), site.client("bert", "media:write"));
    let admin = site.client("backend", "media:admin");
    let a1 = anna.file("item-photo", "image/png", &png(24, 24, 1), &entity("item", "1"));
    // An administrator puts it into the list that is Anna's.
    let b1 = bert.file("item-photo", "image/png", &png(24, 24, 2), &json!({}));
    assert_eq!(admin.post("/v1/entities/item/1/item-photo", &json!({"attach": b1})).status, 200);
    let a2 = anna.file("verification-document", "application/pdf", &document(900, 3), &entity("item", "1"));
    let a3 = anna.file("temp", "application/pdf", &document(900, 4), &json!({}));
    let b2 = bert.file("temp", "application/pdf", &document(900, 5), &json!({}));
    let c1 = admin.file("temp", "application/pdf", &document(900, 6), &json!({"owner": "cora"}));
    // One's own files, in the order in which they became ready.
    for query in ["", "owner=anna"] {
        assert_eq!(all(&anna, query), [&a1, &a2, &a3].map(String::clone), "{query}");
    }
    assert_eq!(all(&anna, "collection=temp"), std::slice::from_ref(&a3));
    assert_eq!(all(&bert, "owner=bert&collection=item-photo"), std::slice::from_ref(&b1));
    assert_eq!(all(&bert, "collection=profile-photo"), Vec::<String>::new());
    // Others' only with `media:admin`.
    for query in ["owner=anna", "owner=anna&collection=temp", "owner=anna&entity=item/1"] {
        let refused = bert.get(&format!("/v1/files?{query}"));
        assert_eq!((refused.status, refused.problem().as_str()), (403, "insufficient-scope"), "{query}");
    }
    assert_eq!(all(&admin, "owner=anna"), [&a1, &a2, &a3].map(String::clone));
    assert_eq!(all(&admin, "owner=cora"), std::slice::from_ref(&c1));
    assert_eq!(all(&admin, "collection=temp"), [&a3, &b2, &c1].map(String::clone));
    assert_eq!(all(&admin, ""), [&a1, &b1, &a2, &a3, &b2, &c1].map(String::clone));
    assert_eq!(all(&admin, "owner=nobody"), Vec::<String>::new());
    // An entity, over all its collections; a private document is for its owner.
    assert_eq!(all(&admin, "entity=item/1"), [&a1, &b1, &a2].map(String::clone));
    assert_eq!(all(&anna, "entity=item/1"), [&a1, &b1, &a2].map(String::clone));
    assert_eq!(all(&bert, "entity=item/1"), [&a1, &b1].map(String::clone));
    assert_eq!(all(&anna, "entity=item/1&owner=anna"), [&a1, &a2].map(String::clone));
    assert_eq!(all(&admin, "entity=item/1&collection=item-photo"), [&a1, &b1].map(String::clone));
    assert_eq!(all(&bert, "entity=item/2"), Vec::<String>::new());
    // The documents are those of single files: another owner's details stay away.
    let page = bert.get("/v1/files?entity=item/1").json();
    assert_eq!((page["files"][0].get("owner"), &page["files"][1]["owner"]), (None, &json!("bert")));
    assert_eq!(page["files"][1], bert.get(&format!("/v1/files/{b1}")).json());
    // What is deleted is gone, at once.
    assert_eq!(anna.delete(&format!("/v1/files/{a1}")).status, 204);
    assert_eq!(all(&anna, ""), [&a2, &a3].map(String::clone));
    assert_eq!(all(&admin, "entity=item/1"), [&b1, &a2].map(String::clone));
    assert_eq!(all(&admin, "collection=item-photo"), [b1]);
}

#[test]
fn a_cursor_goes_on_where_it_was_and_belongs_to_its_search() {
    let site = Site::start();
    let (anna, admin) = (site.client("anna", "media:write"), site.client("backend", "media:admin"));
    let ids: Vec<String> = (10..15)
        .map(|seed| anna.file("item-photo", "image/png", &png(24, 24, seed), &entity("item", "9")))
        .collect();
    let page = |query: &str| {
        let answer = anna.get(&format!("/v1/files?{query}"));
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    };
    let shown = |page: &Value| {
        let files = page["files"].as_array().unwrap();
        files.iter().map(|file| file["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (own, of_entity) = (page("limit=2"), page("entity=item/9&limit=2"));
    let (own, of_entity) = (own["next"].as_str().unwrap(), of_entity["next"].as_str().unwrap());
    // The file that the cursor stands behind is deleted, and so is one behind it.
    for id in [&ids[1], &ids[3]] {
        assert_eq!(anna.delete(&format!("/v1/files/{id}")).status, 204);
    }
    assert_eq!(shown(&page(&format!("limit=2&after={own}"))), [ids[2].clone(), ids[4].clone()]);
    // A list whose file is gone is begun again: nothing is left out.
    let rest = shown(&page(&format!("entity=item/9&limit=9&after={of_entity}")));
    assert_eq!(rest, [ids[0].clone(), ids[2].clone(), ids[4].clone()]);
    for (query, cursor) in [
        ("entity=item/9", own),
        ("owner=anna", of_entity),
        ("collection=temp", "x"),
        ("entity=item/9", "0001"),
        // A position that somebody made up would tell whether a file is in a list.
        ("entity=item/9", &format!("{}item-photo", ids[2])),
        ("entity=item/9", &of_entity.replace(&ids[1], &ids[2])),
    ] {
        let answer = anna.get(&format!("/v1/files?{query}&after={cursor}"));
        assert_eq!((answer.status, answer.problem().as_str()), (400, "invalid-field"), "{query} {cursor}");
    }
    // Another listing's cursor is none.
    let refused = admin.get(&format!("/v1/files?collection=item-photo&after={own}"));
    assert_eq!((refused.status, refused.problem().as_str()), (400, "invalid-field"));
    for path in [
        "/v1/files?entity=item/9&collection=nothing",
        "/v1/files?collection=nothing",
        "/v1/files?owner=anna&collection=nothing",
        "/v1/entities/item/9/nothing",
    ] {
        let unknown = anna.get(path);
        assert_eq!((unknown.status, unknown.problem().as_str()), (404, "not-found"), "{path}");
        let detail = unknown.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.starts_with("there is no collection `nothing`; there are `item-photo`, "), "{detail}");
    }
    assert_eq!(admin.get("/v1/files?collection=nothing").status, 404);
    let nobody = Client::new(site.server.url());
    assert_eq!(nobody.get("/v1/files").status, 401);
    // Nothing tells of files that the caller may not read.
    let bert = site.client("bert", "media:write");
    for seed in 20..24 {
        anna.file("verification-document", "application/pdf", &document(700, seed), &entity("user", "anna"));
    }
    assert_eq!(bert.get("/v1/files?entity=user/anna&limit=1").json(), json!({"files": []}));
    let last = bert.file("verification-document", "application/pdf", &document(700, 30), &json!({}));
    let attached = admin.post("/v1/entities/user/anna/verification-document", &json!({"attach": last}));
    assert_eq!(attached.status, 200, "{}", attached.json());
    let (read, pages) = found(&bert, "entity=user/anna", 2);
    assert_eq!((read, pages), (vec![last], 1));
}

#[test]
fn what_has_expired_is_found_and_read_no_more() {
    let site = Site::start();
    let anna = site.client("anna", "media:write");
    let id = anna.file("item-photo", "image/png", &png(24, 24, 50), &entity("item", "5"));
    let file = format!("/v1/files/{id}");
    let change = |body: Value| anna.json(&Method::PATCH, &file, &[], &body);
    for bad in [json!(0), json!(-1), json!(1.5), json!("1"), json!(315_360_001)] {
        assert_eq!(change(json!({"expires_in": bad})).status, 400, "{bad}");
    }
    assert_eq!(change(json!({"expires_in": 315_360_000})).status, 200);
    assert_eq!(change(json!({"expires_in": null})).json().get("expires"), None);
    // A file of a collection with a lifetime cannot outlive it.
    let temporary = anna.file("temp", "application/pdf", &document(700, 51), &json!({}));
    let longer =
        anna.json(&Method::PATCH, &format!("/v1/files/{temporary}"), &[], &json!({"expires_in": 90_000}));
    assert_eq!((longer.status, longer.problem().as_str()), (400, "invalid-field"));
    let media = format!("/media/{id}/thumbnail.jpg");
    let link = anna.get(&format!("{file}/url?name=thumbnail.jpg&expires_in=3600")).json();
    assert_eq!(change(json!({"expires_in": 1})).status, 200);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    for target in [&file, &media, link["url"].as_str().unwrap()] {
        assert_eq!(anna.get(target).status, 410, "{target}");
    }
    for query in ["", "entity=item/5", "collection=item-photo"] {
        assert!(!all(&anna, query).contains(&id), "{query}");
    }
    for bad in ["0", "604801", "x"] {
        assert_eq!(anna.get(&format!("{file}/url?expires_in={bad}")).status, 400, "{bad}");
    }
}

//! The lists of entities.

use http::Method;
use serde_json::json;

use super::client::Client;
use super::pictures::png;
use crate::server::Server;

fn files(client: &Client, seeds: std::ops::Range<u32>) -> Vec<String> {
    let file = |seed| client.file("item-photo", "image/png", &png(24, 24, seed), &json!({}));
    seeds.map(file).collect()
}

#[test]
fn a_list_is_ordered_attached_detached_and_replaced() {
    let server = Server::start();
    let client = Client::new(server.url());
    let ids = files(&client, 100..104);
    let place = "item/7/item-photo";
    let path = format!("/v1/entities/{place}");
    let post = |body| client.post(&path, &body);
    for id in &ids[..2] {
        assert_eq!(post(json!({"attach": id})).status, 200);
    }
    assert_eq!(post(json!({"attach": ids[2], "position": 0})).status, 200);
    let (list, etag) = client.list(place);
    assert_eq!(list, [&ids[2], &ids[0], &ids[1]].map(String::clone));
    let put = |headers: &[(&str, &str)], files: &[&String]| {
        client.json(&Method::PUT, &path, headers, &json!({"files": files}))
    };
    let unconditional = put(&[], &[&ids[0]]);
    assert_eq!(unconditional.status, 428);
    let detail = unconditional.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("by the `ETag` in the answer to GET /v1/entities/"), "{detail}");
    let reordered = put(&[("if-match", &etag)], &[&ids[0], &ids[1], &ids[2]]);
    assert_eq!(reordered.status, 200, "{}", reordered.json());
    let late = put(&[("if-match", &etag)], &[&ids[1]]);
    assert_eq!((late.status, &late.json()["files"]), (412, &json!([ids[0], ids[1], ids[2]])));
    assert_eq!(post(json!({"replace": {"old": ids[1], "new": ids[3]}})).status, 200);
    assert_eq!(client.list(place).0, [&ids[0], &ids[3], &ids[2]].map(String::clone));
    assert_eq!(post(json!({"detach": ids[1]})).problem(), "list-conflict");
    assert_eq!(post(json!({"detach": ids[2]})).status, 200);
    // The records follow.
    let entity = |id: &str| client.get(&format!("/v1/files/{id}")).json()["entity"].clone();
    assert_eq!(entity(&ids[0]), json!({"type": "item", "id": "7"}));
    assert_eq!(entity(&ids[2]), json!(null));
    // A file is in one list.
    let elsewhere = client.post("/v1/entities/item/8/item-photo", &json!({"attach": ids[0]}));
    assert_eq!((elsewhere.status, elsewhere.problem().as_str()), (409, "list-conflict"));
    let wrong = client.post("/v1/entities/item/7/profile-photo", &json!({"attach": ids[2]}));
    assert_eq!((wrong.status, wrong.problem().as_str()), (409, "list-conflict"));
    // A deleted file leaves its list.
    assert_eq!(client.delete(&format!("/v1/files/{}", ids[0])).status, 204);
    assert_eq!(client.list(place).0, [ids[3].clone()]);
    let found = client.get("/v1/files?entity=item/7&collection=item-photo").json();
    assert_eq!(found["files"][0]["id"], json!(ids[3]));
}

#[test]
fn only_one_photo_of_a_person_is_shown() {
    let server = Server::start();
    let client = Client::new(server.url());
    let entity = json!({"entity": {"type": "user", "id": "anna"}});
    let old = client.file("profile-photo", "image/png", &png(64, 64, 110), &entity);
    let full = client.announce("profile-photo", "image/png", 10, &entity);
    assert_eq!((full.status, full.problem().as_str()), (409, "list-full"));
    let new = client.file("profile-photo", "image/png", &png(64, 64, 111), &json!({}));
    let only = "/v1/entities/user/anna/profile-photo/only";
    let answer = client.json(&Method::PUT, only, &[], &json!({"file": new}));
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(client.list("user/anna/profile-photo").0, [new]);
    assert_eq!(client.get(&format!("/v1/files/{old}")).json()["entity"], json!(null));
}

#[test]
fn of_those_who_name_the_same_list_one_wins() {
    let server = Server::start();
    let client = Client::new(server.url());
    let ids = files(&client, 120..128);
    let path = "/v1/entities/item/9/item-photo";
    // Attaching needs no condition: each of them is done, whatever the order.
    std::thread::scope(|scope| {
        for id in &ids {
            let client = client.clone();
            scope.spawn(move || {
                let answer = client.post(path, &json!({"attach": id}));
                assert_eq!(answer.status, 200, "{}", answer.json());
            });
        }
    });
    let (list, etag) = client.list("item/9/item-photo");
    let mut sorted = list.clone();
    sorted.sort();
    let mut all = ids.clone();
    all.sort();
    assert_eq!(sorted, all);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let put = |first: usize| {
            let (client, etag, mut order) = (client.clone(), etag.clone(), list.clone());
            order.rotate_left(first);
            scope.spawn(move || {
                client.json(&Method::PUT, path, &[("if-match", &etag)], &json!({"files": order})).status
            })
        };
        let puts: Vec<_> = (1..8).map(put).collect();
        puts.into_iter().map(|put| put.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 6, "{statuses:?}");
}

#[test]
fn fifty_who_reorder_and_replace_at_once_leave_a_list_that_its_files_agree_with() {
    let server = Server::start();
    let client = Client::new(server.url());
    let ids = files(&client, 130..154);
    let (listed, spare) = ids.split_at(8);
    let (place, path) = ("item/10/item-photo", "/v1/entities/item/10/item-photo");
    for id in listed {
        assert_eq!(client.post(path, &json!({"attach": id})).status, 200);
    }
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let act = |number: usize| {
            let client = client.clone();
            scope.spawn(move || {
                if number.is_multiple_of(2) {
                    let (mut order, etag) = client.list(place);
                    order.rotate_left(number % 8);
                    return client
                        .json(&Method::PUT, path, &[("if-match", &etag)], &json!({"files": order}))
                        .status;
                }
                // Several name the same file, of which one replaces it, and the same new one, which is in the list once.
                let (old, new) = (&listed[number % 8], &spare[number % 16]);
                client.post(path, &json!({"replace": {"old": old, "new": new}})).status
            })
        };
        let acts: Vec<_> = (0..50).map(act).collect();
        acts.into_iter().map(|act| act.join().unwrap()).collect()
    });
    let replaced = statuses.iter().skip(1).step_by(2).filter(|status| **status == 200).count();
    assert!(statuses.iter().step_by(2).all(|status| [200, 412].contains(status)), "{statuses:?}");
    assert!(statuses.iter().skip(1).step_by(2).all(|status| [200, 409].contains(status)), "{statuses:?}");
    // Only those with odd numbers are named.
    assert_eq!(replaced, 4, "each is replaced once: {statuses:?}");
    let (list, _) = client.list(place);
    let once: std::collections::BTreeSet<&String> = list.iter().collect();
    assert_eq!((list.len(), once.len()), (8, 8), "{list:?}");
    for id in &ids {
        let entity = &client.get(&format!("/v1/files/{id}")).json()["entity"];
        assert_eq!(entity.is_object(), list.contains(id), "{id}: {entity}");
    }
}

//! Attempts at files: at their uploads, their records, their bytes, and the lists that they are in.

use bytes::Bytes;
use http::header::IF_MATCH;
use http::{Method, Request};
use serde_json::{Value, json};

use super::{LINK, Probe, deletions, probe, reads};
use crate::http::ask::{ask, get, json as request, with};
use crate::tenants::table::subject::Subject;

fn file(subject: &Subject) -> String {
    format!("/v1/files/{}", subject.file())
}

fn upload(subject: &Subject) -> String {
    format!("/v1/uploads/{}", subject.upload())
}

fn list(entity: &str) -> String {
    format!("/v1/entities/item/{entity}/item-photo")
}

/// Reads of every part of a file below `start`.
fn media_reads(start: &str, subject: &Subject) -> Vec<Request<Bytes>> {
    let names = ["thumbnail", "thumbnail.jpg", "medium.webp", "large.jpg", "original"];
    names.iter().flat_map(|name| reads(&format!("{start}/{}/{name}", subject.file()))).collect()
}

pub const ANNOUNCE_BADLY: Probe = probe("announces what is too large for its list, as its owner", |it| {
    let mut body = it.announcement(4_000_000_000);
    let plain = request(Method::POST, "/v1/uploads", &body);
    body["owner"] = json!(it.cast.victim);
    vec![plain, request(Method::POST, "/v1/uploads", &body)]
});

pub const SIGN_ITS_BYTES: Probe = probe("asks for a request signed for its upload", |it| {
    let sign = |body: &Value| request(Method::POST, "/v1/uploads/sign", body);
    let mut body = it.announcement(1_000);
    body["method"] = json!("PUT");
    body["key"] = json!(it.upload());
    let whole = sign(&body);
    body["uploadId"] = json!(it.upload());
    body["partNumber"] = json!(1);
    vec![whole, sign(&body)]
});

pub const SHOW_UPLOAD: Probe = probe("asks how far its upload is", |it| reads(&upload(it)));

pub const ABORT: Probe = probe("aborts its upload", |it| deletions(&upload(it)));

pub const ADDRESS_PARTS: Probe = probe("asks for addresses of its upload's bytes", |it| {
    let ask = |body: &Value| request(Method::POST, &format!("{}/parts", upload(it)), body);
    vec![ask(&json!({"numbers": [1]})), ask(&json!({"numbers": [1, 2]}))]
});

pub const COMPLETE: Probe = probe("says that its upload is complete", |it| {
    vec![ask(Method::POST, &format!("{}/complete", upload(it))); 2]
});

pub const SEND_BYTES: Probe =
    probe("sends its upload's bytes, without an address and with one of its own making", |it| {
        let send = |query: &str| {
            ask(Method::PUT, &format!("{}/bytes{query}", upload(it))).map(|_| Bytes::from(vec![7; 1_000]))
        };
        vec![send(""), send(&format!("?{LINK}")), send(&format!("?part=1&{LINK}"))]
    });

pub const READ_MEDIA: Probe = probe("reads every part of its file in every form", |it| {
    [media_reads("/v1/media", it), media_reads("/media", it)].concat()
});

pub const EDGE_MEDIA: Probe =
    probe("reads every part of its file in every form", |it| media_reads("/media", it));

pub const FIND_FILES: Probe = probe("looks for its files by their entity, owner and collection", |it| {
    let entity = format!("item/{}", it.entity());
    let queries = [
        format!("entity={entity}&collection=item-photo"),
        format!("entity={entity}"),
        format!("owner={}", it.cast.victim),
        format!("owner={}&collection=item-photo&limit=1000", it.cast.victim),
        "collection=item-photo&limit=1000".to_owned(),
        "limit=1000".to_owned(),
    ];
    queries.iter().map(|query| get(&format!("/v1/files?{query}"))).collect()
});

pub const SHOW_FILE: Probe = probe("reads its file's record", |it| reads(&file(it)));

fn change_file(it: &Subject, body: &Value) -> Vec<Request<Bytes>> {
    let change = || request(Method::PATCH, &file(it), body);
    vec![with(change(), IF_MATCH, "\"x\""), with(change(), IF_MATCH, "*"), change()]
}

pub const PUBLISH_FILE: Probe =
    probe("makes its file public", |it| change_file(it, &json!({"access": "public"})));

pub const HIDE_FILE: Probe =
    probe("makes its file private", |it| change_file(it, &json!({"access": "private", "alt": "nothing"})));

pub const END_FILE: Probe =
    probe("lets its file live for a second", |it| change_file(it, &json!({"expires_in": 1})));

pub const PIN_FILE: Probe =
    probe("lets its file live for ever", |it| change_file(it, &json!({"expires_in": null})));

pub const DELETE_FILE: Probe = probe("deletes its file, with every condition", |it| deletions(&file(it)));

pub const BATCH_DELETE_FILES: Probe = probe("deletes its file among others, twice", |it| {
    let batch = || request(Method::POST, "/v1/files/batch-delete", &json!({"ids": [it.file()]}));
    vec![batch(), batch()]
});

pub const RENDER: Probe = probe("has its file's renditions made again", |it| {
    vec![ask(Method::POST, &format!("{}/renditions", file(it)))]
});

pub const SHOW_AUDIT: Probe = probe("asks who read its file", |it| reads(&format!("{}/audit", file(it))));

pub const SIGN_FILE_LINK: Probe = probe("asks for a signed link to its file", |it| {
    let link = |name: &str| format!("{}/url?name={name}", file(it));
    vec![get(&link("original")), get(&link("thumbnail.jpg")), ask(Method::HEAD, &link("original"))]
});

pub const SHOW_LIST: Probe = probe("reads the list of its entity", |it| reads(&list(&it.entity())));

pub const ATTACH: Probe = probe("attaches its file to a list of its own, and to the entity's", |it| {
    let attach = |entity: &str| request(Method::POST, &list(entity), &json!({"attach": it.file()}));
    vec![attach(&it.free()), attach(&it.entity())]
});

pub const DETACH: Probe = probe("detaches its file, and puts another in its place", |it| {
    let change = |body: &Value| request(Method::POST, &list(&it.entity()), body);
    let other = "a".repeat(32);
    vec![change(&json!({"detach": it.file()})), change(&json!({"replace": {"old": it.file(), "new": other}}))]
});

pub const PUT_LIST: Probe = probe("makes its file the whole list, here and in a list of its own", |it| {
    let put = |entity: &str, files: &Value| {
        with(request(Method::PUT, &list(entity), &json!({"files": files})), IF_MATCH, "*")
    };
    vec![
        put(&it.free(), &json!([it.file()])),
        put(&it.entity(), &json!([it.file()])),
        put(&it.entity(), &json!([])),
    ]
});

pub const PUT_ONLY: Probe = probe("makes its file the only one, here and in a list of its own", |it| {
    let only =
        |entity: &str| request(Method::PUT, &format!("{}/only", list(entity)), &json!({"file": it.file()}));
    vec![only(&it.free()), only(&it.entity())]
});

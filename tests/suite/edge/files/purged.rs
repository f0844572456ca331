//! Purges of files: the record and the bytes that it names are forgotten.

use http::Method;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::album::Album;
use crate::edge::origin::Origin;
use crate::edge::seeds::{kind, read, slow};
use crate::engines::edge::Edge;
use crate::http::ask::{text, with};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn purge(edge: &Edge, body: &Value) -> Value {
    let request = text(Method::POST, "/purge", &body.to_string());
    let answer = edge.send(with(request, AUTHORIZATION, format!("Bearer {TOKEN}"))).await;
    assert_eq!(answer.status(), 200, "{:?}", answer.body());
    serde_json::from_slice(answer.body()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purged_file_is_looked_for_again_and_so_are_its_bytes() {
    let token = ("CREDLINK_PURGE_TOKEN", TOKEN.to_owned());
    let edge = Edge::with(slow().into_iter().chain([token])).await;
    let (deleted, kept, document) = (Album::photo(1), Album::photo(2), Album::document(3, 500));
    for album in [&deleted, &kept, &document] {
        album.put(&edge).await;
    }
    let warm = async || {
        for (album, name) in [
            (&deleted, "medium.jpg"),
            (&deleted, "thumbnail.webp"),
            (&kept, "medium.jpg"),
            (&document, "original"),
        ] {
            assert_eq!(read(&edge, &album.path(name)).await.0.status(), 200);
            edge.settle().await;
        }
    };
    warm().await;
    edge.forget().await;
    warm().await;
    assert_eq!(edge.count("bucket.get").await, 0, "all is in the cache");
    deleted.seed().delete(&edge).await;
    let ids = [&deleted, &document, &Album::photo(9)].map(|album| album.record.id.to_string());
    assert_eq!(purge(&edge, &json!({"files": ids})).await, json!({"purged": 3, "zone": false}));
    edge.forget().await;
    let (answer, _) = read(&edge, &deleted.path("medium.jpg")).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (410, "deleted"));
    assert_eq!(read(&edge, &document.path("original")).await.0.status(), 200);
    assert_eq!(read(&edge, &kept.path("medium.jpg")).await.1, "credlink; hit");
    edge.settle().await;
    assert_eq!(edge.count("bucket.get").await, 3, "{:?}", edge.calls().await);
    // Restored, the file has none of its bytes here.
    deleted.seed().put(&edge).await;
    purge(&edge, &json!({"files": [deleted.record.id]})).await;
    for name in ["medium.jpg", "thumbnail.webp"] {
        assert_eq!(read(&edge, &deleted.path(name)).await.1, "credlink; fwd=uri-miss; stored", "{name}");
        edge.settle().await;
    }
}

/// Every entry of a file has its tag, so a purge of the zone removes the bytes as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_zone_is_purged_by_the_files_tag() {
    let cloudflare = Origin::start().await;
    cloudflare.answer_with(|_| Some(http::Response::new(bytes::Bytes::from_static(b"{\"success\":true}"))));
    let zone = [
        ("CREDLINK_PURGE_TOKEN", TOKEN.to_owned()),
        ("CREDLINK_ZONE_ID", "fedcba9876543210fedcba9876543210".to_owned()),
        ("CREDLINK_ZONE_TOKEN", "a-token-of-the-zone".to_owned()),
        ("CREDLINK_CLOUDFLARE_API", cloudflare.url().to_owned()),
    ];
    let edge = Edge::with(zone).await;
    let album = Album::photo(1);
    album.put(&edge).await;
    album.assert_is(&read(&edge, &album.path("medium.jpg")).await.0, "medium-1.jpg");
    edge.settle().await;
    let (id, blob) = (album.record.id, album.record.blob);
    let mut tags = edge.tags().await;
    tags.sort();
    assert_eq!(tags, [format!("files/{id}"), format!("files/{id},media/{blob}")]);
    assert_eq!(purge(&edge, &json!({"files": [id]})).await, json!({"purged": 1, "zone": true}));
    let asked = cloudflare.asked();
    let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!(body, json!({"tags": [format!("files/{id}")]}));
}

//! Bytes that are not what the record says: they are never served, and never cached.

use bytes::Bytes;
use credlink_core::hash::Digest;

use super::album::Album;
use crate::edge::seeds::{kind, read, slow};
use crate::engines::edge::Edge;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_differ_are_not_served() {
    let edge = Edge::with(slow()).await;
    let album = Album::photo(1);
    album.put(&edge).await;
    let mut other = album.parts["medium-1.jpg"].to_vec();
    other[17] ^= 1;
    album.put_part(&edge, "medium-1.jpg", Some(Bytes::from(other))).await;
    let cut = album.parts["medium-1.webp"].slice(..100);
    album.put_part(&edge, "medium-1.webp", Some(cut)).await;
    for name in ["medium.jpg", "medium.webp"] {
        for _ in 0..2 {
            let (answer, _) = read(&edge, &album.path(name)).await;
            assert_eq!((answer.status().as_u16(), &*kind(&answer)), (502, "damaged"), "{name}");
            edge.settle().await;
        }
    }
    album.assert_is(&read(&edge, &album.path("thumbnail.jpg")).await.0, "thumbnail-1.jpg");
    edge.settle().await;
    assert_eq!(edge.kept().await, 2, "the record and the thumbnail: {:?}", edge.calls().await);
    let logs = edge.logs().await;
    let damaged = logs.iter().filter(|line| line["message"] == "an object is damaged").count();
    assert_eq!(damaged, 4, "{logs:?}");
}

/// A blob that was removed and made anew may have other bytes under the same key. What the cache has of the old one is not
/// what the new record says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_an_earlier_blob_are_not_served() {
    let edge = Edge::with(slow()).await;
    let mut album = Album::photo(1);
    album.put(&edge).await;
    album.assert_is(&read(&edge, &album.path("medium.jpg")).await.0, "medium-1.jpg");
    edge.settle().await;
    let anew = Bytes::from_static(b"made by another encoder");
    album.record.id = Album::photo(2).record.id;
    album.record.renditions[0].sha256 = Digest::of(&anew);
    album.record.renditions[0].bytes = anew.len() as u64;
    album.parts.insert("medium-1.jpg".to_owned(), anew);
    album.seed().put(&edge).await;
    let (answer, _) = read(&edge, &album.path("medium.jpg")).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (502, "damaged"), "R2 has the earlier ones");
    album.put_part(&edge, "medium-1.jpg", None).await;
    for how in ["credlink; fwd=uri-miss; stored", "credlink; hit"] {
        let (answer, state) = read(&edge, &album.path("medium.jpg")).await;
        album.assert_is(&answer, "medium-1.jpg");
        assert_eq!(state, how);
        edge.settle().await;
    }
}

//! c2pa-rs reads signed pictures whose manifests are on the edge.

use c2pa::ValidationState;
use credlink_core::media_type::C2PA_TYPE;
use http::Method;

use super::ground::{CACHE_STATUS, Ground};
use crate::http::ask::{c2pa, get};
use crate::reader::{PICTURES, new_id, read, sign};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_validates_pictures_whose_manifest_the_edge_serves() {
    let ground = Ground::trusting().await;
    for (format, picture) in PICTURES {
        let id = new_id();
        let url = format!("{}/manifests/{id}", ground.edge.url());
        let signed = sign(picture, format, &id, &url).unwrap();
        let stored = ground.api(c2pa(Method::POST, "/v1/manifests", signed.manifest.clone())).await;
        assert_eq!(stored.status(), 201, "{:?}", stored.body());
        // First from R2, and then from the cache.
        for _ in 0..2 {
            let picture = signed.picture.clone();
            // The reader blocks its thread.
            let seen = tokio::task::spawn_blocking(move || {
                let (state, failures, reader) = read(format, &picture).unwrap();
                (state, failures, reader.remote_url().map(str::to_owned))
            });
            let (state, failures, remote) = seen.await.unwrap();
            assert_eq!((state, failures.as_slice()), (ValidationState::Valid, [].as_slice()), "{format}");
            assert_eq!(remote, Some(url.clone()));
            ground.edge.settle().await;
        }
        let answer = ground.edge.send(get(&format!("/manifests/{id}"))).await;
        assert_eq!(answer.headers()[CACHE_STATUS], "credlink; hit");
        assert_eq!(answer.headers()["content-type"], C2PA_TYPE);
        assert_eq!(answer.body(), &signed.manifest, "byte for byte");
    }
}

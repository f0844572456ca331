//! The service on one machine: a folder that holds everything.
//!
//! | in the folder | what |
//! |---|---|
//! | `objects/`, `temporary/`, `lock` | records and manifests ([`crate::folder`]) |
//! | `index.redb` | the index ([`crate::embedded`]) |
//! | `reserve` | room for deletions on a full disk ([`crate::reserve`]), where a server keeps one |

use std::path::{Path, PathBuf};

use credlink_service::migrate::jobs::NoJobs;
use credlink_service::ports::Parts;
use credlink_service::{Service, Settings};

use crate::cache::MokaCache;
use crate::clock::SystemClock;
use crate::embedded::{EmbeddedError, EmbeddedIndex, SERVING_CACHE_BYTES};
use crate::folder::{Folder, FolderError};
use crate::gate::Gate;
use crate::metered::Metered;

/// The ports of the service on one machine.
pub type Local = Parts<Folder, EmbeddedIndex, MokaCache, SystemClock, Metered, Gate>;

/// Why a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder itself.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The index in it.
    #[error(transparent)]
    Index(#[from] EmbeddedError),
}

/// Opens the service over `folder`, and makes the folder if there is none.
///
/// # Errors
/// Another process uses the folder, it is damaged, or the file system refuses.
pub fn open(folder: &Path, gate: Gate, settings: Settings) -> Result<Service<Local>, OpenError> {
    open_within(folder, gate, settings, SERVING_CACHE_BYTES)
}

/// The same, with so many bytes of memory for pages of the index.
///
/// # Errors
/// As [`open`].
pub fn open_within(
    folder: &Path,
    gate: Gate,
    settings: Settings,
    index_cache_bytes: usize,
) -> Result<Service<Local>, OpenError> {
    // The folder's lock comes first: who holds it may open the index.
    let objects = Folder::open(folder)?;
    let reserve = objects.reserve().clone();
    let index = EmbeddedIndex::open_beside(index_path(folder), index_cache_bytes, reserve)?;
    let parts = Parts {
        objects,
        index,
        cache: MokaCache::new(),
        clock: SystemClock,
        events: Metered::new(),
        authenticator: gate,
        jobs: NoJobs,
    };
    Ok(Service::new(parts, settings))
}

/// Where the index of a folder is.
#[must_use]
pub fn index_path(folder: &Path) -> PathBuf {
    folder.join("index.redb")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;

    /// A server runs each request as a task of its own, which may move between threads.
    fn can_be_spawned<T: Send>(future: T) -> T {
        future
    }

    #[tokio::test]
    async fn a_proof_is_stored_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            Settings { public_url: "http://127.0.0.1:8787".to_owned(), link_keys: None, count_reads: true };
        let service = open(folder.path(), Gate::of(None, None), settings).unwrap();
        let ask = async |method: &str, path: &str, body: &'static str| {
            let request =
                Request::builder().method(method).uri(path).header("content-type", "application/json");
            let (parts, ()) = request.body(()).unwrap().into_parts();
            can_be_spawned(service.handle(&parts, async { Ok(Bytes::from_static(body.as_bytes())) })).await
        };
        let body = r#"{"media_hash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","manifest":{"a":1}}"#;
        let stored = ask("POST", "/v1/proofs", body).await;
        assert_eq!(stored.status(), 201, "{:?}", stored.body());
        assert_eq!(ask("POST", "/v1/proofs", body).await.status(), 200);
        let path = stored.headers()["location"].to_str().unwrap();
        let found = ask("GET", path, "").await;
        assert_eq!(found.status(), 200);
        assert!(String::from_utf8_lossy(found.body()).contains(r#""json":{"a":1}"#));
        assert_eq!(ask("DELETE", path, "").await.status(), 204);
        assert_eq!(ask("GET", path, "").await.status(), 410);
        assert_eq!(ask("GET", "/v1/openapi.json", "").await.status(), 200);
    }
}

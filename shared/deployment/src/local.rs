//! The service on one machine: a folder that holds everything.
//!
//! | in the folder | what |
//! |---|---|
//! | `objects/`, `temporary/`, `lock` | records and manifests ([`credlink_disk::folder`]) |
//! | `index.redb` | the index ([`credlink_embedded::index`]) |
//! | `reserve` | room for deletions on a full disk ([`credlink_disk::reserve`]), where a server keeps one |

use std::fs;
use std::path::{Path, PathBuf};

use credlink_ports::Parts;
use credlink_ports::migration::jobs::NoJobs;
use credlink_service::{Service, Settings};

use credlink_auth::gate::Gate;
use credlink_cache::MokaCache;
use credlink_disk::folder::{Folder, FolderError};
pub use credlink_disk::presence::{Unseen, is_there};
use credlink_embedded::index::{EmbeddedError, EmbeddedIndex, SERVING_CACHE_BYTES};
use credlink_metrics::metered::Metered;
use credlink_runtime::clock::SystemClock;

use crate::deployment::{Note, NoteError};

/// The ports of the service on one machine.
pub type Local = Parts<Folder, EmbeddedIndex, MokaCache, SystemClock, Metered, Gate>;

/// The reasons why a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder itself.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The index in it.
    #[error(transparent)]
    Index(#[from] EmbeddedError),
    /// The index is not there, and objects are.
    #[error(transparent)]
    Lost(#[from] IndexLost),
    /// The objects are not there, and an index is.
    #[error(transparent)]
    ObjectsLost(#[from] ObjectsLost),
    /// The folder is a part of a deployment that has more.
    #[error(transparent)]
    Part(#[from] NoteError),
}

/// An index without its objects. Whoever read from there would be told that nothing was ever stored.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsLost {
    /// They are not there.
    #[error(
        "{} is there, and {} is not: the objects were lost, or their disk is not mounted. Nothing is changed. Bring them back; \
         if they are lost for good, move the index away, and a new store begins", .index.display(), .objects.display()
    )]
    Lost {
        /// The path of the index.
        index: PathBuf,
        /// The path at which the objects would be.
        objects: PathBuf,
    },
    /// Nobody can say whether they are there.
    #[error(transparent)]
    Unseen(#[from] Unseen),
}

impl ObjectsLost {
    /// Refuses to open the index in `folder` where `place`, which is to hold its objects, has no folder for them.
    ///
    /// # Errors
    /// There is none, or it cannot be looked for.
    pub fn check(folder: &Path, place: &Path) -> Result<(), Self> {
        let (index, objects) = (index_path(folder), place.join("objects"));
        // The folder of the objects is made first.
        if is_there(&index)? && !is_there(&objects)? { Err(Self::Lost { index, objects }) } else { Ok(()) }
    }
}

/// Objects without their index. A new one would know of none of them, and take each for the remains of a crash.
#[derive(Debug, thiserror::Error)]
pub enum IndexLost {
    /// It is not there.
    #[error(
        "{} is not there, and {} holds objects: the index was lost. Nothing is changed. Bring it back from a backup, or run \
         `credlink rebuild --data-dir {}`, which makes it anew from the objects", .index.display(), .objects.display(), .folder.display()
    )]
    Lost {
        /// The path at which the index would be.
        index: PathBuf,
        /// The path of the objects.
        objects: PathBuf,
        /// The data folder.
        folder: PathBuf,
    },
    /// Nobody can say whether it is there, or whether there are objects.
    #[error(transparent)]
    Unseen(#[from] Unseen),
}

/// Whether the folder at `path` is there, with something in it.
fn holds_something(path: &Path) -> Result<bool, Unseen> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) => Unseen::unless_absent(path, error).map_or(Ok(false), Err),
    }
}

/// States when an index may be made in a data folder that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewIndex {
    /// Only if there are no objects yet.
    #[default]
    OverNothing,
    /// Also if there are objects: for a rebuild, which fills the index from them.
    OverObjects,
}

impl NewIndex {
    /// Refuses to make an index in `folder` where objects of it, or in one of the folders `others`, are without one.
    ///
    /// # Errors
    /// There are, or it cannot be seen whether there are.
    pub fn check<'a>(
        self,
        folder: &'a Path,
        others: impl IntoIterator<Item = &'a Path>,
    ) -> Result<(), IndexLost> {
        let index = index_path(folder);
        if self == Self::OverObjects || is_there(&index)? {
            return Ok(());
        }
        for place in std::iter::once(folder).chain(others) {
            let objects = place.join("objects");
            if holds_something(&objects)? {
                return Err(IndexLost::Lost { index, objects, folder: folder.to_owned() });
            }
        }
        Ok(())
    }
}

/// Opens the service over `folder`, and makes the folder if there is none. It has several tenants where `settings` say so, or the
/// last server over the folder had.
///
/// # Errors
/// Another process uses the folder, it is a part of a deployment that has more, it has objects and no index, it is damaged, or the file system refuses.
pub fn open(folder: &Path, gate: Gate, settings: Settings) -> Result<Service<Local>, OpenError> {
    open_within(folder, gate, settings, SERVING_CACHE_BYTES, NewIndex::OverNothing)
}

/// The same, with so many bytes of memory for pages of the index, and with a word on making one.
///
/// # Errors
/// As [`open`].
pub fn open_within(
    folder: &Path,
    gate: Gate,
    settings: Settings,
    index_cache_bytes: usize,
    new_index: NewIndex,
) -> Result<Service<Local>, OpenError> {
    Note::check_alone(folder)?;
    let settings = Settings { has_tenants: settings.has_tenants || Note::has_tenants(folder)?, ..settings };
    ObjectsLost::check(folder, folder)?;
    // The folder's lock comes first: who holds it may open the index.
    let objects = Folder::open(folder)?;
    new_index.check(folder, [])?;
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

/// Returns the path of the index in a folder.
#[must_use]
pub fn index_path(folder: &Path) -> PathBuf {
    folder.join("index.redb")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use credlink_core::object::{Attributes, ObjectKey};
    use credlink_ports::{Condition, Objects as _, Put};
    use http::Request;

    use super::*;

    /// A server runs each request as a task of its own, which may move between threads.
    fn can_be_spawned<T: Send>(future: T) -> T {
        future
    }

    #[tokio::test]
    async fn a_proof_is_stored_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            public_url: "http://127.0.0.1:8787".to_owned(),
            count_reads: true,
            notice_on_read: true,
            ..Settings::default()
        };
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

    /// Every name of a first start and a first store is synced into its folder, and nothing is readable by others.
    #[cfg(unix)]
    #[tokio::test]
    async fn what_a_first_start_makes_is_durable_and_private() {
        use std::os::unix::fs::PermissionsExt as _;

        use credlink_disk::private::recorder;

        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("srv/data");
        let settings = Settings::default();
        let service = open(&folder, Gate::of(None, None), settings).unwrap();
        service.ports().objects.reserve().keep();
        let key: ObjectKey = "manifests/urn%3Ac2pa%3Ax".parse().unwrap();
        let objects = &service.ports().objects;
        let stored = objects.put(&key, Bytes::new(), &Attributes::default(), Condition::Absent).await;
        assert!(matches!(stored, Ok(Put::Stored(_))));
        Note::of_the_folder_alone().leave(&folder).unwrap();
        let (made, unsynced) = recorder::names(root.path());
        for name in ["srv", "srv/data", "srv/data/objects", "srv/data/index.redb", "srv/data/deployment.json"]
        {
            assert!(made.contains(&root.path().join(name)), "{name}: {made:?}");
        }
        assert!(made.iter().any(|path| path.starts_with(folder.join("objects/manifests"))), "{made:?}");
        assert_eq!(unsynced, [""; 0].map(PathBuf::from));
        let mut folders = vec![root.path().join("srv")];
        while let Some(path) = folders.pop() {
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o700, "{}", path.display());
            for entry in fs::read_dir(&path).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    assert_eq!(mode(&path), 0o600, "{}", path.display());
                }
            }
        }
    }

    /// Objects may be moved to another disk, with a link in their place.
    #[cfg(unix)]
    #[tokio::test]
    async fn objects_behind_a_link_are_listed() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key: ObjectKey = "manifests/urn%3Ac2pa%3Ax".parse().unwrap();
        {
            let objects = Folder::open(folder.path()).unwrap();
            let stored = objects.put(&key, Bytes::new(), &Attributes::default(), Condition::Absent).await;
            assert!(matches!(stored, Ok(Put::Stored(_))));
        }
        let (place, moved) = (folder.path().join("objects/manifests"), disk.path().join("manifests"));
        let copied = std::process::Command::new("cp").arg("-a").arg(&place).arg(&moved).status().unwrap();
        assert!(copied.success());
        fs::remove_dir_all(&place).unwrap();
        std::os::unix::fs::symlink(&moved, &place).unwrap();
        let objects = Folder::open(folder.path()).unwrap();
        assert!(objects.get(&key).await.unwrap().is_some());
        let listed = objects.list("", None, 10).await.unwrap().items;
        assert_eq!(listed.iter().map(|listed| listed.key.clone()).collect::<Vec<_>>(), [key.to_string()]);
    }

    #[test]
    fn no_index_is_made_over_objects() {
        let settings = || Settings::default();
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path(), Gate::of(None, None), settings()).unwrap());
        fs::remove_file(index_path(folder.path())).unwrap();
        drop(open(folder.path(), Gate::of(None, None), settings()).unwrap());
        fs::remove_file(index_path(folder.path())).unwrap();
        fs::create_dir_all(folder.path().join("objects/proofs")).unwrap();
        let refused = open(folder.path(), Gate::of(None, None), settings()).unwrap_err().to_string();
        let rebuild = format!("`credlink rebuild --data-dir {}`", folder.path().display());
        assert!(refused.contains("the index was lost") && refused.contains(&rebuild), "{refused}");
        assert!(!index_path(folder.path()).exists(), "nothing is changed");
        let cache = SERVING_CACHE_BYTES;
        let gate = Gate::of(None, None);
        open_within(folder.path(), gate, settings(), cache, NewIndex::OverObjects).unwrap();
        assert!(index_path(folder.path()).exists());
    }
}

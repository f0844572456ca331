use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use credlink_core::object::{Attributes, ObjectKey};
use credlink_ports::{Condition, Objects as _, Put};
use http::Request;

use super::*;

/// Compiles only if the future can be spawned: a server runs each request as a task of its own, which may move between
/// threads.
fn can_be_spawned<T: Send>(future: T) -> T {
    future
}

#[tokio::test]
async fn a_proof_is_stored_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ServiceSettings {
        public_url: "http://127.0.0.1:8787".to_owned(),
        count_reads: true,
        notice_on_read: true,
        ..ServiceSettings::default()
    };
    let service = open(folder.path(), Gate::of(None, None), settings).unwrap();
    let ask = async |method: &str, path: &str, body: &'static str| {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
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

/// Every name that a first start and a first store create is synced into its folder, and nothing is readable by others.
#[cfg(unix)]
#[tokio::test]
async fn what_a_first_start_makes_is_durable_and_private() {
    use std::os::unix::fs::PermissionsExt as _;

    use credlink_disk::recorder::Recording;

    let root = tempfile::tempdir().unwrap();
    let recording = Recording::of(root.path());
    let folder = root.path().join("srv/data");
    let settings = ServiceSettings::default();
    let service = open(&folder, Gate::of(None, None), settings).unwrap();
    service.ports().objects.reserve().keep();
    let key: ObjectKey = "manifests/urn%3Ac2pa%3Ax".parse().unwrap();
    let objects = &service.ports().objects;
    let stored = objects.put(&key, Bytes::new(), &Attributes::default(), Condition::Absent).await;
    assert!(matches!(stored, Ok(Put::Stored(_))));
    Note::of_the_folder_alone().leave(&folder).unwrap();
    let (made, unsynced) = recording.names();
    let journal = "srv/data/journal/credlink-0.journal";
    for name in
        ["srv", "srv/data", "srv/data/objects", "srv/data/index.redb", "srv/data/deployment.json", journal]
    {
        assert!(made.contains(&root.path().join(name)), "{name}: {made:?}");
    }
    assert!(made.iter().any(|path| path.starts_with(folder.join("objects/manifests"))), "{made:?}");
    // The file of an object is in the journal, and is synced when the journal is emptied.
    assert!(unsynced.iter().all(|path| path.starts_with(folder.join("objects/manifests"))), "{unsynced:?}");
    drop(service);
    assert_eq!(recording.names().1, [""; 0].map(PathBuf::from));
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
    let settings = || ServiceSettings::default();
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

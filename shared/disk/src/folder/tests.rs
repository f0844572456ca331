//! Changes that fail, and what others may do meanwhile.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::object::{Attributes, ObjectKey};
use credlink_ports::{Condition, ObjectWrite, Objects as _, OpenObjects as _, Put};
use futures_util::StreamExt as _;

use super::journal::Change;
use super::power_loss::in_memory;
use super::{Folder, FolderError, Inner, ObjectPath, Unsettled, file};
use crate::recorder::Recording;
use crate::recorder::crash::{Unsynced, build};

fn attributes() -> Attributes {
    Attributes { content_type: "application/json".to_owned(), ..Attributes::default() }
}

fn write(name: &str, body: &'static str, condition: Condition) -> ObjectWrite {
    let key = format!("manifests/urn%3Ac2pa%3A{name}").parse().unwrap();
    ObjectWrite { key, body: Bytes::from_static(body.as_bytes()), attributes: attributes(), condition }
}

fn open(home: &Path) -> Folder {
    Folder::open(home.join("data")).unwrap()
}

/// Waits for an answer.
fn now<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

fn found(folder: &Folder, name: &str) -> Option<String> {
    let object = now(folder.get(&format!("manifests/urn%3Ac2pa%3A{name}").parse().unwrap())).unwrap();
    object.map(|object| String::from_utf8(object.body.to_vec()).unwrap())
}

/// Replaces an object, or makes it.
fn put(folder: &Folder, name: &str, body: &'static str) -> bool {
    let key: ObjectKey = format!("manifests/urn%3Ac2pa%3A{name}").parse().unwrap();
    let head = now(folder.head(&key)).unwrap();
    let condition = head.map_or(Condition::Absent, |head| Condition::Matches(head.tag));
    match folder.0.put(&[write(name, body, condition)]) {
        Ok(puts) => {
            assert!(matches!(puts[..], [Put::Stored(_)]), "{puts:?}");
            true
        }
        Err(_) => false,
    }
}

fn delete(folder: &Folder, name: &str) -> bool {
    folder.0.delete(&format!("manifests/urn%3Ac2pa%3A{name}")).is_ok()
}

fn path_of(name: &str) -> String {
    let place = ObjectPath::of(&format!("manifests/urn%3Ac2pa%3A{name}"));
    format!("data/objects/{}/{}/{}", place.top, place.shard, place.name)
}

#[test]
fn an_object_that_cannot_be_changed_stops_no_other_and_stays_as_it_is() {
    let home = in_memory();
    let recording = Recording::of(home.path());
    drop({
        let folder = open(home.path());
        assert!(put(&folder, "fixed", "before"));
        folder
    });
    let folder = open(home.path());
    recording.fail_changes(Some(&path_of("fixed")));
    assert!(put(&folder, "other", "first"));
    assert!(!put(&folder, "fixed", "after"));
    assert!(!delete(&folder, "fixed"));
    let key = "manifests/urn%3Ac2pa%3Afixed".parse().unwrap();
    let tag = now(folder.head(&key)).unwrap().unwrap().tag;
    let both = [write("new", "new", Condition::Absent), write("fixed", "after", Condition::Matches(tag))];
    folder.0.put(&both).unwrap_err();
    assert!(put(&folder, "other", "second"));
    let is_right = |folder: &Folder| {
        for (name, content) in [("fixed", "before"), ("other", "second"), ("new", "new")] {
            assert_eq!(found(folder, name).as_deref(), Some(content));
        }
    };
    is_right(&folder);
    let operations = recording.operations();
    for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::NamesOnly, Unsynced::Random(1)] {
        let disk = in_memory();
        build(&operations, operations.len(), unsynced, disk.path()).unwrap();
        is_right(&open(disk.path()));
    }
    // The file cannot be changed after a crash either, and need not be.
    let killed = in_memory();
    let again = Recording::after(&operations, killed.path());
    again.fail_changes(Some(&path_of("fixed")));
    is_right(&open(killed.path()));
    recording.fail_changes(None);
    assert!(put(&folder, "fixed", "after"));
    let operations = recording.operations();
    let killed = in_memory();
    let again = Recording::after(&operations, killed.path());
    // What was acknowledged is not in the file: the folder is not opened, and the error tells why.
    again.fail_changes(Some(&path_of("fixed")));
    let refused = Folder::open(killed.path().join("data")).unwrap_err();
    assert!(matches!(refused, FolderError::Io { .. }), "{refused}");
    assert!(refused.to_string().contains("manifests/urn%3Ac2pa%3Afixed is in the journal"), "{refused}");
    again.fail_changes(None);
    assert_eq!(found(&open(killed.path()), "fixed").as_deref(), Some("after"));
}

#[test]
fn a_directory_that_is_removed_by_hand_is_made_again() {
    let home = in_memory();
    let folder = open(home.path());
    assert!(put(&folder, "ab1", "first"));
    let shard = home.path().join(path_of("ab1"));
    fs::remove_dir_all(shard.parent().unwrap()).unwrap();
    assert!(put(&folder, "zz", "elsewhere"));
    assert!(!put(&folder, "ab2", "second"), "the first one notices");
    assert!(put(&folder, "ab2", "second"));
    drop(folder);
    assert_eq!(found(&open(home.path()), "ab2").as_deref(), Some("second"));
}

/// Leaves a change of an object in the journal that is not made in its file.
fn fail_to_make(inner: &Inner, name: &str) {
    let key = format!("manifests/urn%3Ac2pa%3A{name}");
    let (header, _) = file::header(&key, b"failed", &attributes()).unwrap();
    let change = Change::Put { key, header: header.into(), body: Bytes::from_static(b"failed") };
    drop(inner.journal.enter().unwrap().commit(vec![change]).unwrap());
}

/// A caller that waits for an object's lock finds it absent, although a change of it failed that will come into effect.
#[test]
fn absence_counts_only_while_nothing_has_to_be_mended() {
    let home = in_memory();
    let folder = open(home.path());
    let alone = folder.0.lock(["manifests/urn%3Ac2pa%3Aa"]);
    std::thread::scope(|scope| {
        let deleted = scope.spawn(|| delete(&folder, "a"));
        let stored = scope.spawn(|| folder.0.put(&[write("a", "b", Condition::Absent)]));
        std::thread::sleep(Duration::from_millis(200));
        fail_to_make(&folder.0, "a");
        drop(alone);
        assert!(!deleted.join().unwrap(), "a deletion is acknowledged");
        stored.join().unwrap().unwrap_err();
    });
    folder.0.mend().unwrap();
    assert_eq!(found(&folder, "a").as_deref(), Some("failed"));
    assert!(delete(&folder, "a"));
    drop(folder);
    assert_eq!(found(&open(home.path()), "a"), None);
}

#[test]
fn a_mend_waits_for_whoever_decides_and_nobody_waits_for_a_mend() {
    let home = in_memory();
    let folder = open(home.path());
    let passage = folder.0.journal.enter().unwrap();
    fail_to_make(&folder.0, "a");
    let path = home.path().join(path_of("a"));
    std::thread::scope(|scope| {
        let mended = scope.spawn(|| folder.0.mend());
        std::thread::sleep(Duration::from_millis(100));
        assert!(!path.exists(), "the mend changes a file under a decision");
        // These would never end if they waited.
        assert!(!delete(&folder, "b"));
        folder.0.journal.enter().unwrap_err();
        folder.0.mend().unwrap_err();
        passage.commit(vec![Change::Delete { key: "manifests/urn%3Ac2pa%3Ab".to_owned() }]).unwrap_err();
        drop(passage);
        mended.join().unwrap().unwrap();
    });
    assert!(path.exists());
    folder.0.journal.enter().unwrap().commit(Vec::new()).unwrap().made(Unsettled::default());
}

/// Returns the only file below a folder that is named after this object.
fn file_of(folder: &Path, name: &str) -> std::path::PathBuf {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found = entries.filter_map(|path| match path.is_dir() {
        true => Some(file_of(&path, name)).filter(|path| path.is_file()),
        false => path.to_string_lossy().contains(name).then_some(path),
    });
    found.next().unwrap_or_default()
}

#[test]
fn what_is_damaged_while_it_is_sent_is_not_sent() {
    let home = tempfile::tempdir().unwrap();
    let folder = open(home.path());
    let key: ObjectKey = "manifests/urn%3Ac2pa%3Along".parse().unwrap();
    let body: Bytes = (0..500_000_u32).map(|at| (at % 251) as u8).collect();
    now(folder.put(&key, body.clone(), &attributes(), Condition::Absent)).unwrap();
    let send = |is_damaged: bool| {
        let opened = now(folder.open(&key, 10..u64::MAX)).unwrap().unwrap();
        if is_damaged {
            let mut file = fs::OpenOptions::new().write(true).open(file_of(home.path(), "long")).unwrap();
            let end = file.metadata().unwrap().len();
            file.seek(SeekFrom::Start(end - 150_000)).unwrap();
            file.write_all(b"damaged").unwrap();
        }
        now(opened.pieces.collect::<Vec<_>>())
    };
    let sent: Result<Vec<Bytes>, _> = send(false).into_iter().collect();
    assert!(sent.unwrap().concat() == body[10..]);
    let mut sent = send(true);
    let error = sent.pop().unwrap().unwrap_err().to_string();
    assert!(error.contains("have changed since they were checked"), "{error}");
    let sent: Vec<Bytes> = sent.into_iter().map(Result::unwrap).collect();
    let sent = sent.concat();
    assert!(sent.len() > 200_000 && sent == body[10..10 + sent.len()], "{} bytes", sent.len());
    // From now on, it is not opened.
    let refused = now(folder.open(&key, 10..20)).unwrap_err().to_string();
    assert!(refused.contains("do not have the digest"), "{refused}");
}

#[test]
fn a_content_is_checked_as_a_whole_once() {
    let home = tempfile::tempdir().unwrap();
    let folder = open(home.path());
    let key: ObjectKey = "manifests/urn%3Ac2pa%3Along".parse().unwrap();
    let body: Bytes = (0..500_000_u32).map(|at| (at % 251) as u8).collect();
    now(folder.put(&key, body.clone(), &attributes(), Condition::Absent)).unwrap();
    let part = |range: Range<u64>| {
        let pieces = now(folder.open(&key, range)).unwrap().unwrap().pieces;
        now(pieces.collect::<Vec<_>>())
            .into_iter()
            .collect::<Result<Vec<Bytes>, _>>()
            .map(|sent| sent.concat())
    };
    assert_eq!(part(400_000..400_007).unwrap(), body[400_000..400_007]);
    // Damage where nobody looks is not noticed, which shows that nothing else is read.
    let mut file = fs::OpenOptions::new().write(true).open(file_of(home.path(), "long")).unwrap();
    let end = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(end - 450_000)).unwrap();
    file.write_all(b"damaged").unwrap();
    assert_eq!(part(400_000..400_009).unwrap(), body[400_000..400_009]);
    assert!(part(50_000..50_001).is_err());
}

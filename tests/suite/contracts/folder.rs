//! The files of a folder, and the mistakes that only a folder can make.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use credlink_core::object::ObjectKey;
use credlink_disk::folder::{Folder, FolderError};
use credlink_ports::{Condition, FailureKind, Objects as _, Put};
use tempfile::TempDir;

use super::{attributes, proof_id};

async fn with_one_object() -> (TempDir, Folder, ObjectKey, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let folder = Folder::open(directory.path().join("store")).unwrap();
    let id = proof_id("x");
    let key = ObjectKey::Record(id);
    let put = folder.put(&key, Bytes::from(vec![7; 20_000]), &attributes(), Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Stored(_)));
    let file = directory.path().join("store/objects/proofs").join(&id.to_string()[..2]).join(id.to_string());
    assert!(file.exists());
    (directory, folder, key, file)
}

#[tokio::test]
async fn objects_survive_their_process() {
    let (directory, folder, key, _) = with_one_object().await;
    let before = folder.get(&key).await.unwrap();
    drop(folder);
    let folder = Folder::open(directory.path().join("store")).unwrap();
    assert_eq!(folder.get(&key).await.unwrap(), before);
    assert_eq!(folder.list("", None, 10).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_second_process_is_told_that_the_folder_is_in_use() {
    let (directory, folder, ..) = with_one_object().await;
    let error = Folder::open(directory.path().join("store")).unwrap_err();
    assert!(matches!(error, FolderError::InUse(_)));
    assert!(error.to_string().ends_with("is used by another process; is a `credlink serve` running on it?"));
    let clone = folder.clone();
    drop(folder);
    assert!(Folder::open(directory.path().join("store")).is_err(), "the clone still holds it");
    drop(clone);
    Folder::open(directory.path().join("store")).unwrap();
}

#[tokio::test]
async fn truncated_and_changed_files_are_damaged_and_not_absent() {
    let (_directory, folder, key, file) = with_one_object().await;
    let tag = folder.head(&key).await.unwrap().unwrap().tag;
    let bytes = fs::read(&file).unwrap();
    for length in [0, 10, 200, bytes.len() - 20_000, bytes.len() - 1] {
        fs::write(&file, &bytes[..length]).unwrap();
        assert_eq!(folder.get(&key).await.unwrap_err().kind, FailureKind::Damaged, "{length}");
        assert_eq!(folder.head(&key).await.unwrap_err().kind, FailureKind::Damaged, "{length}");
        let put = folder.put(&key, Bytes::new(), &attributes(), Condition::Matches(tag.clone())).await;
        assert_eq!(put.unwrap_err().kind, FailureKind::Damaged, "{length}");
        let put = folder.put(&key, Bytes::new(), &attributes(), Condition::Absent).await.unwrap();
        assert_eq!(put, Put::Lost, "a damaged object is not replaced unseen");
    }
    let mut changed = bytes.clone();
    changed[bytes.len() - 5] ^= 1;
    fs::write(&file, &changed).unwrap();
    let failure = folder.get(&key).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Damaged);
    assert!(failure.to_string().contains(&format!("folder: damaged: reading {key}: its bytes")), "{failure}");
    folder.delete(&key).await.unwrap();
    assert_eq!(folder.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn temporary_files_are_gone_after_a_start() {
    let (directory, folder, key, _) = with_one_object().await;
    let temporary = directory.path().join("store/temporary");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "a write leaves none");
    folder.put(&key, Bytes::new(), &attributes(), Condition::Absent).await.unwrap();
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "nor does a lost one");
    drop(folder);
    fs::write(temporary.join("credlink-0.part"), "left by a crash").unwrap();
    fs::write(temporary.join("20240101"), "somebody else's").unwrap();
    let folder = Folder::open(directory.path().join("store")).unwrap();
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);
    assert!(temporary.join("20240101").exists());
    assert!(folder.get(&key).await.unwrap().is_some());
}

#[tokio::test]
async fn a_folder_that_went_away_is_a_failure_and_not_absence() {
    let (directory, folder, key, _) = with_one_object().await;
    fs::rename(directory.path().join("store/objects"), directory.path().join("elsewhere")).unwrap();
    assert_eq!(folder.get(&key).await.unwrap_err().kind, FailureKind::Unavailable);
    assert_eq!(folder.head(&key).await.unwrap_err().kind, FailureKind::Unavailable);
    assert_eq!(folder.list("", None, 1).await.unwrap_err().kind, FailureKind::Unavailable);
    assert_eq!(folder.delete(&key).await.unwrap_err().kind, FailureKind::Unavailable);
    let put = folder.put(&key, Bytes::new(), &attributes(), Condition::Absent).await;
    assert_eq!(put.unwrap_err().kind, FailureKind::Unavailable);
}

#[tokio::test]
async fn files_of_others_are_listed_and_never_taken_for_objects() {
    let (_directory, folder, key, file) = with_one_object().await;
    let shard = file.parent().unwrap();
    let proofs = shard.parent().unwrap();
    let id = proof_id("x").to_string();
    fs::write(proofs.parent().unwrap().join("junk"), "").unwrap();
    fs::write(proofs.join("junk"), "").unwrap();
    fs::create_dir(proofs.join("00")).unwrap();
    fs::copy(&file, proofs.join("00").join(&id)).unwrap();
    // A copy of a bucket made by another tool: a directory with the proof's name.
    fs::create_dir(proofs.join(&id)).unwrap();
    fs::write(proofs.join(&id).join("7"), "").unwrap();
    fs::create_dir(shard.join("zz")).unwrap();
    let mut expected = vec![
        "junk#misplaced".to_owned(),
        "proofs/junk#misplaced".to_owned(),
        format!("proofs/00/{id}#misplaced"),
        format!("proofs/{id}/7#misplaced"),
        format!("proofs/{}/zz#misplaced", &id[..2]),
        key.to_string(),
    ];
    expected.sort();
    for limit in [1, 100] {
        let (mut keys, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = folder.list("", after.as_deref(), limit).await.unwrap();
            keys.extend(page.items.into_iter().map(|item| item.key));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(keys, expected);
    }
    let objects = expected.iter().filter(|key| key.parse::<ObjectKey>().is_ok()).count();
    assert_eq!(objects, 1);
}

#[tokio::test]
async fn attributes_have_a_bound() {
    let (_directory, folder, key, _) = with_one_object().await;
    let tag = folder.head(&key).await.unwrap().unwrap().tag;
    let mut attributes = attributes();
    attributes.metadata.insert("long".into(), "x".repeat(65_536));
    let put = folder.put(&key, Bytes::new(), &attributes, Condition::Matches(tag)).await;
    assert!(put.unwrap_err().message.contains("need more than 65536 bytes"));
}

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use credlink_core::row::ManifestRow;
use credlink_ports::Commit;

use credlink_disk::reserve::RESERVE_BYTES;

use super::*;
use crate::database::disk::Disk;

/// Opens an index over `disk`, with the reserve of `folder`, on which `free` bytes are free.
fn over(disk: &Disk, folder: &Path, free: &Arc<AtomicU64>) -> (Arc<EmbeddedIndex>, Reserve) {
    let (disk, free) = (disk.clone(), Arc::clone(free));
    let reserve = Reserve::with(folder, Box::new(move |_| Ok(free.load(Ordering::SeqCst))));
    let database =
        Database::over(NAME, move || Ok((disk.clone(), None)), SERVING_CACHE_BYTES, reserve.clone());
    let database = database.unwrap();
    database.write(EmbeddedIndex::prepare).unwrap();
    (Arc::new(EmbeddedIndex::over(database).unwrap()), reserve)
}

/// Opens an index on a disk that has no reserve.
fn without_reserve(disk: &Disk) -> Arc<EmbeddedIndex> {
    over(disk, Path::new("/nowhere"), &Arc::new(AtomicU64::new(u64::MAX))).0
}

fn write(id: &str, state: &str) -> Write {
    let mut row = serde_json::json!({
        "row": "manifest", "id": id, "version": 1, "state": state, "tenant": "default",
        "sha256": "0".repeat(64), "length": 1, "holders": 1, "standalone": false, "generation": 0,
    });
    if state != "live" {
        row["at"] = "2026-01-01T00:00:00Z".into();
    }
    let row: ManifestRow = serde_json::from_value(row).unwrap();
    Write { row: Row::Manifest(row), expected: None }
}

async fn has(index: &EmbeddedIndex, id: &str) -> bool {
    index.get(&RowKey::Manifest(id.parse().unwrap())).await.unwrap().is_some()
}

/// Retries a commit until it succeeds, which may take until the file is reopened.
async fn commit_in_the_end(index: &EmbeddedIndex, id: &str) {
    let begun = Instant::now();
    while let Err(failure) = index.commit(&[write(id, "live")]).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{failure}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Repeats the health check until it reports no failure.
async fn well_in_the_end(index: &EmbeddedIndex) {
    let begun = Instant::now();
    while let Some(kind) = index.write_failure().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{kind}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_failed_sync_is_told_to_everybody_in_the_group_and_mended() {
    let disk = Disk::default();
    let index = without_reserve(&disk);
    assert_eq!(index.commit(&[write("urn:before", "live")]).await.unwrap(), Commit::Done);
    assert_eq!(index.write_failure().await, None);
    for is_late in [false, true] {
        disk.finds_out_late(is_late);
        disk.fill(true);
        let waiting: Vec<_> = (0..20)
            .map(|number| {
                let index = Arc::clone(&index);
                let row = write(&format!("urn:{is_late}:{number}"), "live");
                tokio::spawn(async move { index.commit(&[row]).await })
            })
            .collect();
        for waiter in waiting {
            assert_eq!(waiter.await.unwrap().unwrap_err().kind, FailureKind::OutOfSpace);
        }
        assert_eq!(index.write_failure().await, Some(FailureKind::OutOfSpace));
        disk.fill(false);
        commit_in_the_end(&index, &format!("urn:after:{is_late}")).await;
        well_in_the_end(&index).await;
        // Acknowledged rows are present. Rows that were refused may or may not be.
        assert!(has(&index, "urn:before").await);
        assert!(has(&index, &format!("urn:after:{is_late}")).await);
    }
}

#[tokio::test]
async fn health_is_asked_until_there_is_room_and_nobody_has_to_write_for_that() {
    let disk = Disk::default();
    let index = without_reserve(&disk);
    disk.fill(true);
    index.commit(&[write("urn:x", "live")]).await.unwrap_err();
    assert_eq!(index.write_failure().await, Some(FailureKind::OutOfSpace));
    disk.fill(false);
    well_in_the_end(&index).await;
    assert!(!has(&index, "urn:y").await);
}

#[tokio::test]
async fn a_commit_that_meets_a_full_disk_is_done_with_the_reserve() {
    let (disk, folder) = (Disk::default(), tempfile::tempdir().unwrap());
    let free = Arc::new(AtomicU64::new(2 * RESERVE_BYTES));
    let (index, reserve) = over(&disk, folder.path(), &free);
    reserve.keep();
    free.store(0, Ordering::SeqCst);
    disk.fill_by(folder.path().join("reserve"));
    assert_eq!(index.commit(&[write("urn:removed", "deleting")]).await.unwrap(), Commit::Done);
    assert_eq!(index.write_failure().await, Some(FailureKind::OutOfSpace));
    // A store that is under way may still finish, for up to a second.
    let begun = Instant::now();
    let refused = loop {
        let number = begun.elapsed().as_micros();
        if let Err(refused) = index.commit(&[write(&format!("urn:end:{number}"), "live")]).await {
            break refused;
        }
        assert!(begun.elapsed() < Duration::from_secs(30));
    };
    assert_eq!(refused.kind, FailureKind::OutOfSpace);
    let counted = index.count_reads(&[]).await.unwrap_err();
    assert_eq!(counted.kind, FailureKind::OutOfSpace, "statistics can wait");
    assert!(has(&index, "urn:removed").await && !has(&index, "urn:stored").await);
    free.store(2 * RESERVE_BYTES, Ordering::SeqCst);
    commit_in_the_end(&index, "urn:stored").await;
    well_in_the_end(&index).await;
}

/// A process that was killed while it created the file leaves it under the temporary name.
#[tokio::test]
async fn a_file_that_was_made_by_half_stands_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let (path, half) = (folder.path().join("index.redb"), folder.path().join("index.redb.new"));
    fs::write(&half, b"half a file").unwrap();
    let index = EmbeddedIndex::open(&path).unwrap();
    assert_eq!(index.commit(&[write("urn:c2pa:x", "live")]).await.unwrap(), Commit::Done);
    assert!(!half.exists());
    drop(index);
    assert!(has(&EmbeddedIndex::open(&path).unwrap(), "urn:c2pa:x").await);
}

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// Returns a folder with a reserve, and the number of free bytes beside it.
fn with_free(bytes: u64) -> (tempfile::TempDir, Reserve, Arc<AtomicU64>) {
    let folder = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(bytes));
    let told = Arc::clone(&free);
    let reserve = Reserve::with(folder.path(), Box::new(move |_| Ok(told.load(Ordering::SeqCst))));
    (folder, reserve, free)
}

/// Forgets the last check for free room, and when the reserve was given up.
fn later(reserve: &Reserve) {
    let mut state = reserve.state();
    (state.looked, state.given_up) = (None, None);
}

fn full<T>() -> io::Result<T> {
    Err(io::ErrorKind::StorageFull.into())
}

#[test]
fn what_is_given_up_once_comes_back_with_room_for_twice_as_much() {
    let (folder, reserve, free) = with_free(2 * RESERVE_BYTES);
    reserve.keep();
    assert_eq!(fs::metadata(folder.path().join(FILE)).unwrap().len(), RESERVE_BYTES);
    assert!(!reserve.is_full());
    reserve.admit().unwrap();
    free.store(0, Ordering::SeqCst);
    assert!(reserve.give_up());
    assert!(!folder.path().join(FILE).exists());
    assert!(reserve.give_up(), "another write met the full disk at the same time");
    assert!(reserve.admit().is_err() && reserve.admit_the_end().is_ok());
    later(&reserve);
    assert!(!reserve.give_up(), "there is no second one");
    assert!(reserve.is_full() && reserve.admit_the_end().is_err());
    assert_eq!(reserve.admit().unwrap_err().kind(), io::ErrorKind::StorageFull);
    free.store(2 * RESERVE_BYTES - 1, Ordering::SeqCst);
    later(&reserve);
    assert!(reserve.admit().is_err(), "the room that it gave is not room to store");
    free.store(2 * RESERVE_BYTES, Ordering::SeqCst);
    assert!(reserve.admit().is_err(), "it is not looked for at once again");
    later(&reserve);
    reserve.admit().unwrap();
    assert!(folder.path().join(FILE).exists() && !reserve.is_full());
}

#[test]
fn a_full_disk_is_remembered_until_a_write_succeeds_or_there_is_room() {
    let (_folder, reserve, free) = with_free(2 * RESERVE_BYTES);
    reserve.keep();
    free.store(0, Ordering::SeqCst);
    assert!(reserve.noted(full::<()>()).is_err());
    assert!(reserve.is_full());
    reserve.admit().unwrap();
    reserve.noted(Ok(())).unwrap();
    assert!(!reserve.is_full());
    assert!(reserve.noted(full::<()>()).is_err());
    free.store(RESERVE_BYTES, Ordering::SeqCst);
    later(&reserve);
    assert!(!reserve.is_full());
}

#[test]
fn work_that_meets_a_full_disk_is_done_with_the_reserve() {
    let (folder, reserve, _) = with_free(2 * RESERVE_BYTES);
    let file = folder.path().join(FILE);
    let work = || if file.exists() { full() } else { Ok(7) };
    reserve.keep();
    assert_eq!(reserve.lent(work).unwrap(), 7);
    let other = reserve.lent(|| Err::<(), _>(io::ErrorKind::PermissionDenied.into()));
    assert_eq!(other.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    later(&reserve);
    assert!(reserve.lent(full::<()>).is_err());
}

#[test]
fn a_reserve_that_stands_there_is_found_and_none_is_made_unasked() {
    let (folder, reserve, free) = with_free(0);
    assert!(!reserve.is_full() && !folder.path().join(FILE).exists());
    assert!(!reserve.give_up());
    reserve.keep();
    assert!(reserve.admit().is_err(), "the disk is as good as full at the start");
    free.store(2 * RESERVE_BYTES, Ordering::SeqCst);
    later(&reserve);
    reserve.admit().unwrap();
    drop(reserve);
    assert!(Reserve::at(folder.path()).give_up());
}

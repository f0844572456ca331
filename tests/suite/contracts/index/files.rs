//! Files in an index: their rows, their listings, and the log of accesses to them.

use credlink_core::audit::{AuditAct, AuditEntry, AuditRight};
use credlink_core::bounds::AUDIT_KEPT_SECONDS;
use credlink_core::file::{Access, FileId, FileList, FileType, FocalPoint, Rejection, UploadId};
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::row::{BlobRow, FileRow, ListRow, QuotaRow, Row, State, StoreRow, UploadRow, UploadState};
use credlink_core::store_id::StoreId;
use credlink_ports::{FilesOf, Index, Listing, Write};
use futures_util::future::join_all;

use super::{OTHER, TENANT, change, done, keys};
use crate::contracts::at;

/// The first row of a live file.
fn file(number: u8, owner: Option<&str>, collection: &str, created: i64) -> FileRow {
    FileRow {
        id: FileId::from_random([number; 20]),
        version: 1,
        state: State::Live,
        tenant: TENANT.parse().unwrap(),
        owner: owner.map(|owner| owner.parse().unwrap()),
        collection: collection.parse().unwrap(),
        entity: Some("item/4711".parse().unwrap()),
        unattached: None,
        access: Access::Private,
        media_hash: MediaHash::of(&[number]),
        bytes: 10,
        record_sha256: Digest::of(b"record"),
        revision: 1,
        created: at(created),
        expires: None,
    }
}

fn new(row: Row) -> Write {
    Write { row, expected: None }
}

fn of(tenant: &str, of: FilesOf) -> Listing {
    Listing::Files(tenant.parse().unwrap(), of)
}

fn owner(name: &str) -> Listing {
    of(TENANT, FilesOf::Owner(name.parse().unwrap()))
}

fn collection(name: &str) -> Listing {
    of(TENANT, FilesOf::Collection(name.parse().unwrap()))
}

fn names(rows: &[&FileRow]) -> Vec<String> {
    rows.iter().map(|row| format!("FILE#{}", row.id)).collect()
}

pub async fn every_row_of_files_reads_back_in_every_state(index: &impl Index) {
    let now = at(7_000);
    let upload = |byte, state| UploadRow {
        id: UploadId::from_random([byte; 20]),
        version: 1,
        state,
        tenant: TENANT.parse().unwrap(),
        owner: Some("auth0|7#x".parse().unwrap()),
        collection: "item-photo".parse().unwrap(),
        entity: Some("item/4711".parse().unwrap()),
        position: Some(0),
        access: Access::Public,
        size: u64::MAX / 2,
        kind: FileType::Jpeg,
        media_hash: Some(MediaHash::of(b"x")),
        filename: Some("Größe 1.jpg".to_owned()),
        focal: Some(FocalPoint::CENTRE),
        multipart: Some("2~x".to_owned()),
        attempts: 1,
        failures: 3,
        created: now,
        expires: now.plus_seconds(86_400),
        due: Some(now.plus_seconds(86_400)),
    };
    let blob = BlobRow {
        version: 1,
        state: State::Live,
        tenant: TENANT.parse().unwrap(),
        media_hash: MediaHash::of(b"x"),
        bytes: 10,
        kind: FileType::Jpeg,
        width: Some(40),
        height: Some(30),
        frames: Some(2),
        holders: 0,
        removals: 0,
        unheld: Some(now),
        renditions: ["large-1.jpg".parse().unwrap(), "large-1.webp".parse().unwrap()].into(),
        rendition_bytes: 250,
    };
    let list = ListRow {
        version: 1,
        tenant: TENANT.parse().unwrap(),
        entity: "item/a:~1".parse().unwrap(),
        collection: "item-photo".parse().unwrap(),
        files: FileList::new(vec![FileId::from_random([2; 20]), FileId::from_random([1; 20])]).unwrap(),
    };
    let quota = QuotaRow {
        used: 5,
        reserved: 7,
        files: 1,
        version: 1,
        ..QuotaRow::empty(TENANT.parse().unwrap(), None)
    };
    let whose = Some("auth0|7#x".parse().unwrap());
    let states = [
        UploadState::Pending,
        UploadState::Ready { file: FileId::from_random([1; 20]) },
        UploadState::Rejected { reason: Rejection::Truncated },
        UploadState::Expired,
    ];
    let mut rows = vec![
        Row::File(file(1, Some("auth0|7#x"), "item-photo", 5)),
        Row::File(FileRow {
            entity: None,
            unattached: Some(now),
            expires: Some(now),
            ..file(2, None, "temp", 5)
        }),
        Row::Blob(blob.clone()),
        Row::List(list.clone()),
        Row::Quota(quota.clone()),
        Row::Quota(QuotaRow { owner: whose, ..quota }),
    ];
    let uploads = states.into_iter().enumerate();
    rows.extend(uploads.map(|(byte, state)| Row::Upload(upload(u8::try_from(byte).unwrap(), state))));
    done(index, &rows.iter().cloned().map(new).collect::<Vec<_>>()).await;
    for row in &rows {
        assert_eq!(index.get(&row.key()).await.unwrap().as_ref(), Some(row));
    }
    let mut expected: Vec<String> = rows.iter().map(|row| row.key().to_string()).collect();
    expected.sort();
    for limit in [3, 1_000] {
        let mut all = keys(index, &Listing::All, limit).await;
        all.sort();
        assert_eq!(all, expected);
    }
    // What may be missing is missing in the next row.
    let bare = UploadRow {
        owner: None,
        entity: None,
        position: None,
        media_hash: None,
        filename: None,
        focal: None,
        multipart: None,
        version: 2,
        ..upload(0, UploadState::Uploading)
    };
    let bare_blob = BlobRow { width: None, height: None, frames: None, renditions: [].into(), ..blob.held() };
    let next = [
        Row::Upload(bare),
        Row::Blob(bare_blob),
        Row::List(list.with(FileList::default())),
        Row::File(file(1, Some("auth0|7#x"), "item-photo", 5).detached(now)),
    ];
    done(index, &next.iter().cloned().map(change).collect::<Vec<_>>()).await;
    for row in &next {
        assert_eq!(index.get(&row.key()).await.unwrap().as_ref(), Some(row));
    }
    let totals = index.totals().await.unwrap().files;
    assert_eq!((totals.count, totals.bytes, totals.collections.len()), (2, 20, 2));
    assert_eq!((totals.blobs, totals.saved_bytes, totals.renditions, totals.rendition_bytes), (1, 0, 0, 250));
    assert_eq!((totals.uploads.open, totals.uploads.open_bytes), (1, u64::MAX / 2));
    assert_eq!((totals.uploads.ready, totals.uploads.expired), (1, 1));
    assert_eq!(totals.uploads.rejected, [(Rejection::Truncated, 1)].into());
}

pub async fn live_files_are_listed_by_tenant_owner_and_collection(index: &impl Index) {
    // The order of creation differs from the order of storage, and two files share a millisecond.
    let rows = [
        file(5, Some("a"), "item-photo", 30),
        file(4, Some("a#b"), "temp", 10),
        file(3, Some("a"), "temp", 20),
        file(2, None, "temp", 20),
        file(1, Some("a"), "item-photo", 40),
    ];
    for row in &rows {
        done(index, &[new(Row::File(row.clone()))]).await;
    }
    let others = FileRow { tenant: OTHER.parse().unwrap(), ..file(6, Some("a"), "temp", 20) };
    done(index, &[new(Row::File(others))]).await;
    let [fifth, fourth, third, second, first] = &rows;
    for limit in [1, 2, 1_000] {
        let all = keys(index, &of(TENANT, FilesOf::Tenant), limit).await;
        assert_eq!(all, names(&[fourth, second, third, fifth, first]));
        assert_eq!(keys(index, &owner("a"), limit).await, names(&[third, fifth, first]));
        assert_eq!(keys(index, &owner("a#b"), limit).await, names(&[fourth]));
        assert_eq!(keys(index, &collection("temp"), limit).await, names(&[fourth, second, third]));
        assert_eq!(keys(index, &collection("item-photo"), limit).await, names(&[fifth, first]));
        assert_eq!(keys(index, &of(OTHER, FilesOf::Tenant), limit).await.len(), 1);
    }
    for nothing in [owner("b"), owner("a#"), collection("tem"), of("acm", FilesOf::Tenant)] {
        assert!(keys(index, &nothing, 2).await.is_empty(), "{nothing:?}");
    }
    // A change moves no file, and a deletion takes it out of every listing, for ever.
    let detached = third.detached(at(50));
    done(index, &[change(Row::File(detached.clone()))]).await;
    assert_eq!(keys(index, &owner("a"), 2).await, names(&[third, fifth, first]));
    assert_eq!(keys(index, &collection("temp"), 2).await, names(&[fourth, second, third]));
    let deleting = detached.in_state(State::Deleting(at(60)));
    for row in [&deleting, &deleting.in_state(State::Deleted(at(60)))] {
        done(index, &[change(Row::File(row.clone()))]).await;
        assert_eq!(keys(index, &owner("a"), 2).await, names(&[fifth, first]));
        assert_eq!(keys(index, &collection("temp"), 2).await, names(&[fourth, second]));
        let all = keys(index, &of(TENANT, FilesOf::Tenant), 2).await;
        assert_eq!(all, names(&[fourth, second, fifth, first]));
    }
    // The row of a file that was deleted before the index knew it is in none.
    done(index, &[new(Row::File(FileRow { state: State::Deleted(at(1)), ..file(7, Some("a"), "temp", 1) }))])
        .await;
    assert_eq!(keys(index, &collection("temp"), 2).await, names(&[fourth, second]));
}

pub async fn a_listing_of_files_goes_on_behind_its_cursor(index: &impl Index) {
    let rows: Vec<FileRow> =
        (1..=6).map(|number| file(number, Some("a"), "temp", i64::from(number))).collect();
    for row in &rows {
        done(index, &[new(Row::File(row.clone()))]).await;
    }
    for listing in [of(TENANT, FilesOf::Tenant), owner("a"), collection("temp")] {
        let page = index.list(&listing, None, 2).await.unwrap().unwrap();
        assert_eq!(page.items.len(), 2);
        let rest = index.list(&listing, page.next.as_deref(), 4).await.unwrap().unwrap();
        assert_eq!((rest.items.len(), rest.next), (4, None), "{listing:?}");
        // A cursor is of one listing.
        for other in [of(OTHER, FilesOf::Tenant), owner("b"), collection("tem"), Listing::All] {
            assert_eq!(index.list(&other, page.next.as_deref(), 2).await.unwrap(), None);
        }
    }
    // A file that is deleted meanwhile is passed over, and so is the one that the cursor stands at.
    let page = index.list(&owner("a"), None, 2).await.unwrap().unwrap();
    for row in [&rows[1], &rows[3]] {
        done(index, &[change(Row::File(row.in_state(State::Deleting(at(9)))))]).await;
    }
    let rest = index.list(&owner("a"), page.next.as_deref(), 10).await.unwrap().unwrap();
    let rest: Vec<String> = rest.items.iter().map(|row| row.key().to_string()).collect();
    assert_eq!(rest, names(&[&rows[2], &rows[4], &rows[5]]));
}

fn entry(file: u8, milliseconds: i64, number: u64) -> AuditEntry {
    AuditEntry {
        at: at(milliseconds),
        number,
        file: FileId::from_random([file; 20]),
        act: AuditAct::Read,
        name: "original".to_owned(),
        status: 200,
        times: 7,
        by: AuditRight::Owner,
        tenant: None,
        subject: Some("auth0|7#x".parse().unwrap()),
        address: Some("2001:db8::7".parse().unwrap()),
        request_id: "r-1".to_owned(),
    }
}

async fn log(index: &impl Index, file: u8, limit: usize) -> Vec<AuditEntry> {
    let (mut entries, mut after) = (Vec::new(), None::<String>);
    loop {
        let page =
            index.accesses(&FileId::from_random([file; 20]), after.as_deref(), limit).await.unwrap().unwrap();
        assert!(page.items.len() <= limit);
        entries.extend(page.items);
        after = page.next;
        if after.is_none() {
            return entries;
        }
    }
}

pub async fn accesses_are_logged_for_each_file_in_their_order(index: &impl Index) {
    let day = 86_400_000;
    let of_one = [entry(1, day, 7), entry(1, day, u64::MAX), entry(1, day + 1, 0), entry(1, 2 * day, 1)];
    let of_two = [entry(2, day, 7)];
    join_all(of_one.iter().rev().chain(&of_two).map(|entry| async move {
        index.note_access(entry).await.unwrap();
    }))
    .await;
    // An attempt whose answer was lost is made again.
    index.note_access(&of_one[1]).await.unwrap();
    for limit in [1, 2, 3, 1_000] {
        assert_eq!(log(index, 1, limit).await, of_one, "{limit}");
        assert_eq!(log(index, 2, limit).await, of_two);
        assert!(log(index, 3, limit).await.is_empty());
    }
    let id = FileId::from_random([1; 20]);
    for foreign in ["", "x", "000000000000007-ff", "%", "ä", "../"] {
        assert_eq!(index.accesses(&id, Some(foreign), 2).await.unwrap(), None, "{foreign}");
    }
    // An entry is no row, and is in no listing.
    assert!(keys(index, &Listing::All, 10).await.is_empty());
    // It is kept as long as it has to be.
    let kept = i64::try_from(AUDIT_KEPT_SECONDS).unwrap() * 1_000;
    index.note_access(&entry(3, day + kept, 1)).await.unwrap();
    assert_eq!(log(index, 1, 10).await, of_one);
}

/// Adding an entry removes some that are older than they are kept. Those of DynamoDB are removed by itself.
pub async fn old_accesses_go_when_new_ones_come(index: &impl Index) {
    let kept = i64::try_from(AUDIT_KEPT_SECONDS).unwrap() * 1_000;
    for number in 0..8 {
        index.note_access(&entry(1, 1, number)).await.unwrap();
    }
    // A clock that is ahead of what the store has trusted removes nothing.
    let store = StoreRow::new(StoreId::of("one"), 1, at(1_000));
    done(index, &[Write { expected: None, row: Row::Store(store.clone()) }]).await;
    for number in 0..8 {
        index.note_access(&entry(3, 2 + kept, number)).await.unwrap();
    }
    assert_eq!(log(index, 1, 10).await.len(), 8);
    let seen = at(3 + kept);
    done(index, &[change(Row::Store(StoreRow { version: 2, seen, ..store }))]).await;
    for number in 0..2 {
        index.note_access(&entry(2, 2 + kept, number)).await.unwrap();
    }
    assert_eq!(log(index, 1, 10).await, []);
    assert_eq!(log(index, 2, 10).await.len(), 2);
}

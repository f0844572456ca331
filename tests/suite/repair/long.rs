//! Repair of the bytes of files, which pass through in pieces.

use super::*;

/// The row of the blob of a file.
fn blob() -> BlobRow {
    BlobRow {
        version: 1,
        state: State::Live,
        tenant: Tenant::default(),
        media_hash: MediaHash::of(b"x"),
        bytes: 12_000_000,
        kind: FileType::Pdf,
        width: None,
        height: None,
        frames: None,
        holders: 1,
        unheld: None,
        removals: 0,
        renditions: [].into(),
        rendition_bytes: 0,
    }
}

/// The key of the bytes of a file, and 12 MB with their attributes.
fn long_file() -> (ObjectKey, Bytes, Attributes) {
    let key = ObjectKey::Media(MediaKey::Original(blob().id()));
    let body: Bytes =
        (0..12_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let facts = Facts::of(&body, Tenant::default(), Visibility::Public, at());
    let attributes = facts.attributes(&key, BTreeMap::new());
    (key, body, attributes)
}

async fn repair_long(
    from: &impl LongObjects,
    to: &impl LongObjects,
    index: &MemoryIndex,
) -> Result<Outcome, Unrepaired> {
    let (key, _, _) = long_file();
    let mut done = run(Replica::Fallback, &[key], from, to, index, at()).await;
    done.remove(0).1
}

async fn is_whole(objects: &impl Objects) -> bool {
    let (key, body, attributes) = long_file();
    let object = objects.get(&key).await.unwrap().unwrap();
    object.body == body && object.head.attributes.metadata == attributes.metadata
}

/// The bytes of a file are longer than any manifest, and are brought to a provider that missed them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_file_is_copied_between_all_kinds_of_providers() {
    let directory = tempfile::tempdir().unwrap();
    let folder = Folder::open(directory.path()).unwrap();
    let (s3, r2) = (buckets::s3().await, buckets::r2().await);
    let (key, body, attributes) = long_file();
    s3.put(&key, body, &attributes, Condition::Absent).await.unwrap();
    let index = MemoryIndex::new();
    assert_eq!(repair_long(&s3, &r2, &index).await.unwrap(), Outcome::Copied);
    assert_eq!(repair_long(&r2, &folder, &index).await.unwrap(), Outcome::Copied);
    s3.delete(&key).await.unwrap();
    assert_eq!(repair_long(&folder, &s3, &index).await.unwrap(), Outcome::Copied);
    assert!(is_whole(&s3).await && is_whole(&r2).await && is_whole(&folder).await);
    assert_eq!(repair_long(&s3, &r2, &index).await.unwrap(), Outcome::AlreadyThere);
}

#[tokio::test]
async fn each_case_of_a_long_file_comes_to_what_its_row_says() {
    let (key, body, attributes) = long_file();
    let mut damaged = body.to_vec();
    damaged[9_000_000] ^= 1;
    let (whole, damaged) = (Some(body), Some(Bytes::from(damaged)));
    let live = State::Live;
    for (row, here, there, expected, left) in [
        (None, None, None, Ok(Outcome::Nothing), None),
        (None, whole.clone(), None, Ok(Outcome::Copied), whole.clone()),
        (None, None, whole.clone(), Ok(Outcome::AlreadyThere), whole.clone()),
        (Some(live), whole.clone(), None, Ok(Outcome::Copied), whole.clone()),
        (Some(live), whole.clone(), whole.clone(), Ok(Outcome::AlreadyThere), whole.clone()),
        (Some(live), damaged.clone(), None, Err("the only copy is damaged"), None),
        (Some(live), damaged.clone(), whole.clone(), Ok(Outcome::AlreadyThere), whole.clone()),
        // Without a row, nothing is replaced.
        (None, whole.clone(), damaged.clone(), Ok(Outcome::Undecided), damaged.clone()),
        (Some(live), damaged.clone(), damaged.clone(), Ok(Outcome::Undecided), damaged.clone()),
        (Some(State::Deleting(at())), whole.clone(), None, Err("a deletion is under way"), None),
        (Some(State::Deleted(at())), None, whole.clone(), Ok(Outcome::Removed), None),
        (Some(State::Deleted(at())), whole.clone(), None, Ok(Outcome::Nothing), None),
        (Some(State::Deleted(at())), whole.clone(), whole.clone(), Ok(Outcome::AlreadyThere), whole.clone()),
    ] {
        let side = async |body: &Option<Bytes>| {
            let objects = MemoryObjects::new();
            if let Some(body) = body {
                objects.put(&key, body.clone(), &attributes, Condition::Absent).await.unwrap();
            }
            objects
        };
        let (from, to, index) = (side(&here).await, side(&there).await, MemoryIndex::new());
        if let Some(state) = row {
            let row = Row::Blob(BlobRow { state, ..blob() });
            index.commit(&[Write { row, expected: None }]).await.unwrap();
        }
        let done = repair_long(&from, &to, &index).await;
        match expected {
            Ok(outcome) => assert_eq!(done.unwrap(), outcome, "{row:?}"),
            Err(why) => assert!(done.unwrap_err().to_string().contains(why), "{row:?}"),
        }
        let found = to.get(&key).await.unwrap().map(|object| object.body);
        assert!(found == left, "{row:?}");
    }
}

/// A copy that is damaged where it is read from does not replace anything, and one that is damaged at the other provider is
/// replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_long_file_is_replaced() {
    let (s3, r2) = (buckets::s3().await, buckets::r2().await);
    let (key, body, attributes) = long_file();
    let mut damaged = body.to_vec();
    damaged[9_000_000] ^= 1;
    s3.put(&key, body, &attributes, Condition::Absent).await.unwrap();
    r2.put(&key, damaged.into(), &attributes, Condition::Absent).await.unwrap();
    let index = MemoryIndex::new();
    assert_eq!(repair_long(&s3, &r2, &index).await.unwrap(), Outcome::Undecided);
    index.commit(&[Write { row: Row::Blob(blob()), expected: None }]).await.unwrap();
    assert_eq!(repair_long(&s3, &r2, &index).await.unwrap(), Outcome::Copied);
    assert!(is_whole(&r2).await);
}

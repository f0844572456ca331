use std::time::SystemTime;

use credlink_core::access::Caller;
use credlink_core::bounds::MAX_PUT_BYTES;
use credlink_core::collection::Collections;
use credlink_core::link::LinkKey;
use credlink_core::rules::upload::Announcement;
use tempfile::TempDir;

use super::*;

const URL: &str = "http://127.0.0.1:8787";

struct Place {
    folder: TempDir,
    quarantine: QuarantineFolder,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = Self::open(&folder);
        Self { folder, quarantine }
    }

    fn open(folder: &TempDir) -> QuarantineFolder {
        let keys = LinkKeys { current: LinkKey::new("k", vec![1; 32]).unwrap(), previous: None };
        let reserve = Reserve::at(folder.path());
        QuarantineFolder::open(folder.path(), URL.to_owned(), keys, reserve).unwrap()
    }

    /// Returns the names of the files of an upload.
    fn files(&self, row: &UploadRow) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.quarantine.0.folder(row)) else { return Vec::new() };
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn row(size: u64) -> UploadRow {
    let body = br#"{"collection": "temp", "size": 1, "type": "image/jpeg"}"#;
    let announced = Announcement::parse(body, &Collections::default(), &Caller::trusted()).unwrap();
    let now = Timestamp::from_milliseconds(1_798_761_600_000);
    UploadRow { size, ..announced.row(UploadId::from_random([3; 20]), now) }
}

/// An upload in three parts, of which the last is short.
fn in_parts() -> (UploadRow, Plan) {
    let size = MAX_PUT_BYTES + 1;
    (UploadRow { multipart: Some(MULTIPART.to_owned()), ..row(size) }, Plan::of(size))
}

fn send(place: &Place, row: &UploadRow, part: Option<&Part>, pieces: &[&[u8]]) -> Result<(), NotReceived> {
    let mut incoming = place.quarantine.receive(row, part)?;
    for piece in pieces {
        incoming.write(piece)?;
    }
    incoming.finish()
}

#[tokio::test]
async fn all_bytes_arrive_once() {
    let place = Place::new();
    let (row, quarantine) = (row(6), &place.quarantine);
    assert_eq!(quarantine.found(&row).await.unwrap(), Found::Nothing);
    assert_eq!(quarantine.read(&row, 0..6).await.unwrap(), None);
    send(&place, &row, None, &[b"one", b"two"]).unwrap();
    assert_eq!(quarantine.found(&row).await.unwrap(), Found::Whole(6));
    assert_eq!(quarantine.read(&row, 1..5).await.unwrap().unwrap(), "netw");
    assert!(matches!(send(&place, &row, None, &[b"others"]), Err(NotReceived::Arrived)));
    assert_eq!(quarantine.read(&row, 0..6).await.unwrap().unwrap(), "onetwo");
    assert_eq!(place.files(&row), ["bytes"]);
    quarantine.remove(&row).await.unwrap();
    quarantine.remove(&row).await.unwrap();
    assert_eq!(quarantine.found(&row).await.unwrap(), Found::Nothing);
    assert_eq!(fs::read_dir(place.folder.path().join("uploads/default")).unwrap().count(), 0);
}

#[tokio::test]
async fn of_two_requests_the_first_to_end_counts() {
    let place = Place::new();
    let row = row(3);
    let mut first = place.quarantine.receive(&row, None).unwrap();
    let mut second = place.quarantine.receive(&row, None).unwrap();
    first.write(b"one").unwrap();
    second.write(b"two").unwrap();
    second.finish().unwrap();
    assert!(matches!(first.finish(), Err(NotReceived::Arrived)));
    assert_eq!(place.quarantine.read(&row, 0..3).await.unwrap().unwrap(), "two");
    assert_eq!(place.files(&row), ["bytes"]);
}

#[tokio::test]
async fn what_breaks_off_leaves_nothing() {
    let place = Place::new();
    let row = row(3);
    let mut incoming = place.quarantine.receive(&row, None).unwrap();
    incoming.write(b"on").unwrap();
    assert!(matches!(incoming.write(b"es"), Err(NotReceived::TooLong)));
    assert!(matches!(incoming.finish(), Err(NotReceived::TooShort)));
    assert_eq!(place.quarantine.found(&row).await.unwrap(), Found::Nothing);
    assert_eq!(place.files(&row), [""; 0]);

    // A process that is killed leaves a file, which the next one removes.
    let incoming = place.quarantine.receive(&row, None).unwrap();
    assert_eq!(place.files(&row).len(), 1);
    std::mem::forget(incoming);
    let _again = Place::open(&place.folder);
    assert_eq!(place.files(&row), [""; 0]);
}

#[test]
fn two_requests_at_once_send_all_bytes_and_no_more() {
    let place = Place::new();
    let row = row(3);
    let first = place.quarantine.receive(&row, None).unwrap();
    let mut second = place.quarantine.receive(&row, None).unwrap();
    assert!(matches!(place.quarantine.receive(&row, None), Err(NotReceived::Crowded)));
    // The first has broken off, and another client's upload is not in the way.
    drop(first);
    let third = place.quarantine.receive(&row, None).unwrap();
    assert!(matches!(place.quarantine.receive(&row, None), Err(NotReceived::Crowded)));
    second.write(b"one").unwrap();
    second.finish().unwrap();
    assert!(matches!(third.finish(), Err(NotReceived::TooShort)));
    assert_eq!(place.files(&row), ["bytes"]);
}

#[tokio::test]
async fn parts_arrive_in_any_order_and_again() {
    let place = Place::new();
    let (row, plan) = in_parts();
    let quarantine = &place.quarantine;
    let parts: Vec<Part> = (1..=plan.count()).map(|number| plan.part(number).unwrap()).collect();
    let content =
        |part: &Part| vec![u8::try_from(part.number).unwrap(); usize::try_from(part.length()).unwrap()];
    for part in parts.iter().rev() {
        send(&place, &row, Some(part), &[&content(part)]).unwrap();
    }
    let Found::Parts(arrived) = quarantine.found(&row).await.unwrap() else { panic!() };
    let expected: Vec<Arrived> =
        parts.iter().map(|part| Arrived { number: part.number, size: part.length() }).collect();
    assert_eq!(arrived, expected);

    // While a part is sent again, the earlier one counts, and nobody else sends it. If it breaks off, nothing has changed.
    let mut again = quarantine.receive(&row, Some(&parts[1])).unwrap();
    assert!(matches!(quarantine.receive(&row, Some(&parts[1])), Err(NotReceived::Busy(2))));
    again.write(b"half").unwrap();
    assert_eq!(quarantine.found(&row).await.unwrap(), Found::Parts(expected.clone()));
    drop(again);
    let again = quarantine.receive(&row, Some(&parts[1])).unwrap();
    assert!(matches!(again.finish(), Err(NotReceived::TooShort)));
    assert_eq!(quarantine.found(&row).await.unwrap(), Found::Parts(expected.clone()));
    assert!(place.files(&row).iter().all(|name| !name.contains("put-") && !name.contains("again")));
    // Of those that are whole, the last one counts.
    let other = |byte: u8, part: &Part| vec![byte; usize::try_from(part.length()).unwrap()];
    for byte in [77, 88] {
        send(&place, &row, Some(&parts[1]), &[&other(byte, &parts[1])]).unwrap();
    }
    assert_eq!(quarantine.found(&row).await.unwrap(), Found::Parts(expected.clone()));
    let second = |number| if number == 2 { 88 } else { number };

    quarantine.join(&row).await.unwrap();
    quarantine.join(&row).await.unwrap();
    assert_eq!(quarantine.found(&row).await.unwrap(), Found::Whole(row.size));
    assert_eq!(place.files(&row), ["bytes"]);
    for part in &parts {
        let (first, last) = (part.range.start, part.range.end - 1);
        for at in [first, last] {
            let byte = quarantine.read(&row, at..at + 1).await.unwrap().unwrap();
            assert_eq!(u32::from(byte[0]), second(part.number), "at {at}");
        }
    }
    assert!(matches!(quarantine.receive(&row, Some(&parts[0])), Err(NotReceived::Arrived)));
}

#[tokio::test]
async fn parts_that_are_missing_are_not_joined() {
    let place = Place::new();
    let (row, plan) = in_parts();
    let part = plan.part(1).unwrap();
    send(&place, &row, Some(&part), &[&vec![1; usize::try_from(part.length()).unwrap()]]).unwrap();
    let failure = place.quarantine.join(&row).await.unwrap_err();
    assert!(
        failure.message.contains("the parts have 8388608 bytes together, and not 100000001"),
        "{failure}"
    );
}

#[tokio::test]
async fn addresses_are_signed_for_a_length() {
    let place = Place::new();
    let row = row(6);
    let until = row.expires;
    let put = place.quarantine.sign_put(&row, until).await.unwrap();
    let start = format!("{URL}/v1/uploads/{}/bytes?expires=", row.id);
    assert!(put.url.starts_with(&start), "{}", put.url);
    assert_eq!((put.headers, put.expires), (vec![("content-length", "6".to_owned())], until));
    let (row, plan) = in_parts();
    let signed = place.quarantine.sign_part(&row, &plan.part(2).unwrap(), until).await.unwrap();
    assert!(signed.url.contains("/bytes?part=2&expires="), "{}", signed.url);
    assert_eq!(signed.headers, [("content-length", "8388608".to_owned())]);
}

fn append(place: &Place, row: &UploadRow, offset: u64, bytes: &[u8]) -> Result<u64, NotReceived> {
    let mut appending = place.quarantine.append(row, offset, false)?;
    appending.write(bytes)?;
    appending.finish()
}

#[tokio::test]
async fn bytes_in_order_are_appended_until_all_are_there() {
    let place = Place::new();
    let (row, quarantine) = (row(6), &place.quarantine);
    assert_eq!(quarantine.beginning(&row).unwrap(), 0);
    assert_eq!(append(&place, &row, 0, b"on").unwrap(), 2);
    assert_eq!(append(&place, &row, 2, b"").unwrap(), 2);
    assert_eq!(quarantine.found(&row).await.unwrap(), Found::Beginning(2));
    assert_eq!(quarantine.read(&row, 0..6).await.unwrap(), None, "nobody reads what is not whole");
    assert!(matches!(append(&place, &row, 1, b"n"), Err(NotReceived::Offset(2))));
    assert!(matches!(append(&place, &row, 3, b"n"), Err(NotReceived::Offset(2))));
    assert!(matches!(append(&place, &row, 2, b"etwo!"), Err(NotReceived::TooLong)));
    assert_eq!(append(&place, &row, 2, b"etwo").unwrap(), 6);
    assert_eq!(quarantine.found(&row).await.unwrap(), Found::Whole(6));
    assert_eq!(quarantine.beginning(&row).unwrap(), 6);
    assert_eq!(quarantine.read(&row, 0..6).await.unwrap().unwrap(), "onetwo");
    assert!(matches!(append(&place, &row, 6, b""), Err(NotReceived::Arrived)));
    assert_eq!(place.files(&row), ["bytes"]);
}

/// A process that ended between the last byte and the place of all of them.
#[tokio::test]
async fn the_last_byte_is_asked_for_until_all_have_their_place() {
    let place = Place::new();
    let row = row(6);
    append(&place, &row, 0, b"onetw").unwrap();
    let folder = place.folder.path().join("uploads/default").join(row.id.to_string());
    fs::write(folder.join("ordered.partial"), b"onetwo").unwrap();
    fs::write(folder.join("ordered.length"), b"6").unwrap();
    let place = Place { quarantine: Place::open(&place.folder), folder: place.folder };
    assert_eq!(place.quarantine.beginning(&row).unwrap(), 5);
    assert_eq!(place.quarantine.found(&row).await.unwrap(), Found::Beginning(5));
    assert_eq!(append(&place, &row, 5, b"o").unwrap(), 6);
    assert_eq!(place.quarantine.read(&row, 0..6).await.unwrap().unwrap(), "onetwo");
}

#[tokio::test]
async fn one_request_appends_at_a_time_and_what_it_wrote_is_kept() {
    let place = Place::new();
    let row = row(6);
    let mut first = place.quarantine.append(&row, 0, false).unwrap();
    assert!(matches!(place.quarantine.append(&row, 0, false), Err(NotReceived::Locked)));
    first.write(b"one").unwrap();
    assert_eq!(place.quarantine.beginning(&row).unwrap(), 0, "it is not durable yet");
    drop(first);
    assert_eq!(place.quarantine.beginning(&row).unwrap(), 3);

    // Of a request whose bytes are checked as a whole, none counts before that.
    let mut exact = place.quarantine.append(&row, 3, true).unwrap();
    exact.write(b"xxx").unwrap();
    drop(exact);
    assert_eq!(place.quarantine.beginning(&row).unwrap(), 3);

    // A process that ends suddenly loses what was not kept, and the next one goes on from there.
    let mut killed = place.quarantine.append(&row, 3, false).unwrap();
    killed.write(b"tw").unwrap();
    std::mem::forget(killed);
    let place = Place { quarantine: Place::open(&place.folder), folder: place.folder };
    assert_eq!(place.quarantine.beginning(&row).unwrap(), 3);
    assert_eq!(append(&place, &row, 3, b"two").unwrap(), 6);
    assert_eq!(place.quarantine.read(&row, 0..6).await.unwrap().unwrap(), "onetwo");
}

#[tokio::test]
async fn an_upload_that_is_removed_while_bytes_arrive_takes_no_more() {
    let place = Place::new();
    let row = row(6);
    place.quarantine.keep_note(&row, b"said").unwrap();
    assert_eq!(place.quarantine.note(&row).unwrap().unwrap(), b"said");
    let mut appending = place.quarantine.append(&row, 0, false).unwrap();
    appending.write(b"onetwo").unwrap();
    place.quarantine.remove(&row).await.unwrap();
    assert!(matches!(appending.finish(), Err(NotReceived::Removed)));
    assert_eq!(place.quarantine.found(&row).await.unwrap(), Found::Nothing);
    assert_eq!(place.quarantine.note(&row).unwrap(), None);
}

#[tokio::test]
async fn a_long_request_is_kept_on_its_way() {
    let place = Place::new();
    let size = 9 * 1_024 * 1_024;
    let row = row(size);
    let mut appending = place.quarantine.append(&row, 0, false).unwrap();
    appending.write(&vec![7; 8 * 1_024 * 1_024]).unwrap();
    assert_eq!(place.quarantine.beginning(&row).unwrap(), 8 * 1_024 * 1_024);
    assert_eq!(place.quarantine.found(&row).await.unwrap(), Found::Beginning(8 * 1_024 * 1_024));
    drop(appending);
}

#[tokio::test]
async fn an_upload_that_ends_while_its_bytes_arrive_has_ended_and_nothing_failed() {
    let (parts, plan) = in_parts();
    let part = plan.part(1).unwrap();
    let content = vec![1; usize::try_from(part.length()).unwrap()];
    for (row, part, is_again) in
        [(row(3), None, false), (parts.clone(), Some(&part), false), (parts, Some(&part), true)]
    {
        let place = Place::new();
        if is_again {
            send(&place, &row, part, &[&content]).unwrap();
        }
        let mut incoming = place.quarantine.receive(&row, part).unwrap();
        incoming.write(part.map_or(&b"one"[..], |_| &content)).unwrap();
        place.quarantine.remove(&row).await.unwrap();
        let refused = incoming.finish().unwrap_err();
        assert!(matches!(refused, NotReceived::Removed), "{refused:?}");
        assert!(refused.failure().is_none());
        assert_eq!(place.files(&row), [""; 0]);
    }
}

#[tokio::test]
async fn a_disk_that_is_gone_ends_no_upload() {
    let place = Place::new();
    let row = row(3);
    let mut incoming = place.quarantine.receive(&row, None).unwrap();
    incoming.write(b"one").unwrap();
    fs::remove_dir_all(place.folder.path().join("uploads")).unwrap();
    assert!(incoming.finish().unwrap_err().failure().is_some());
    assert!(place.quarantine.receive(&row, None).unwrap_err().failure().is_some());
}

#[tokio::test]
async fn a_part_that_comes_again_after_all_were_joined_is_not_taken() {
    let place = Place::new();
    let (row, plan) = in_parts();
    let parts: Vec<Part> = (1..=plan.count()).map(|number| plan.part(number).unwrap()).collect();
    let content = |part: &Part| vec![1; usize::try_from(part.length()).unwrap()];
    for part in &parts {
        send(&place, &row, Some(part), &[&content(part)]).unwrap();
    }
    let mut again = place.quarantine.receive(&row, Some(&parts[0])).unwrap();
    again.write(&content(&parts[0])).unwrap();
    place.quarantine.join(&row).await.unwrap();
    assert!(matches!(again.finish(), Err(NotReceived::Arrived)));
    assert_eq!(place.files(&row), ["bytes"]);
}

#[tokio::test]
async fn what_lies_here_is_listed_and_removed_by_name() {
    let place = Place::new();
    let row = row(3);
    assert_eq!(place.quarantine.remains().unwrap(), []);
    send(&place, &row, None, &[b"one"]).unwrap();
    let uploads = place.folder.path().join("uploads");
    fs::create_dir(uploads.join("default/other")).unwrap();
    fs::write(uploads.join("notes.txt"), b"somebody's").unwrap();
    let remains = place.quarantine.remains().unwrap();
    let [(tenant, upload, changed)] = &remains[..] else { panic!("{remains:?}") };
    assert_eq!((tenant, upload), (&row.tenant, &row.id));
    let age = remains::timestamp(SystemTime::now()).seconds() - changed.seconds();
    assert!(age < 60, "{age}");
    place.quarantine.remove_ownerless(tenant, upload).unwrap();
    assert_eq!(place.quarantine.remains().unwrap(), []);
    assert!(uploads.join("default/other").exists() && uploads.join("notes.txt").exists());
}

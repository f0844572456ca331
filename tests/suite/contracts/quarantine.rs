//! The contract of `Quarantine`. All bytes are sent as a client would, by HTTP to the signed addresses.
//!
//! The engines on this machine leave some of it out, which is tested elsewhere:
//!
//! * ministack checks the signature, and with it every signed header, the SHA-256, and `If-None-Match` of a `PUT` and of
//!   the joining. It joins parts of less than 5 MiB, and answers a second joining of the same upload as the first one, so
//!   that the answers 404, 409 and 412 to it come from a script (`s3_alone`).
//! * The S3 endpoint of miniflare checks the signature and `If-None-Match` of a `PUT`, but not that of the joining, and
//!   compares no SHA-256. To `ListParts` it answers 501: the server in front of it lists the parts that have passed.

mod client;
mod receiver;
mod s3_alone;

use std::time::Duration;

use credlink_core::access::Caller;
use credlink_core::bounds::MAX_PUT_BYTES;
use credlink_core::collection::Collections;
use credlink_core::file::UploadId;
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::{Announcement, Arrived, Found, Part, Plan};
use credlink_core::time::Timestamp;
use credlink_ports::{Clock as _, Quarantine};
use credlink_runtime::clock::SystemClock;
use futures_util::future::join_all;

use super::over_every_adapter;
use crate::buckets;
use client::{Client, is_refused};

over_every_adapter! {
    {
        all_bytes_arrive_once,
        another_length_is_refused,
        what_breaks_off_leaves_nothing,
        an_address_ends,
        of_several_requests_one_counts,
        what_is_removed_is_gone,
        uploads_do_not_meet,
        parts_arrive_in_any_order_and_again,
        a_part_of_another_length_is_refused,
        a_part_that_breaks_off_leaves_nothing,
        what_is_incomplete_is_not_joined,
        of_two_multipart_uploads_one_is_aborted,
        every_part_is_listed,
    }
    folder => receiver::open(),
    s3 => ((), buckets::s3_quarantine().await),
    r2 => ((), buckets::r2_quarantine()),
}

/// An hour from now.
fn soon() -> Timestamp {
    SystemClock.now().plus_seconds(3_600)
}

/// An upload of this size, the only one with this number.
fn upload(number: u8, size: u64) -> UploadRow {
    let body = br#"{"collection": "temp", "size": 1, "type": "image/jpeg"}"#;
    let announced = Announcement::parse(body, &Collections::default(), &Caller::trusted()).unwrap();
    UploadRow { size, ..announced.row(UploadId::from_random([number; 20]), SystemClock.now()) }
}

/// An upload in twelve parts, of which the last is short, with its multipart upload.
async fn in_parts(quarantine: &impl Quarantine) -> (UploadRow, Vec<Part>) {
    let upload = upload(1, MAX_PUT_BYTES + 1);
    let multipart = Some(quarantine.begin(&upload).await.unwrap());
    let plan = Plan::of(upload.size);
    let parts = (1..=plan.count()).map(|number| plan.part(number).unwrap()).collect();
    (UploadRow { multipart, ..upload }, parts)
}

/// Bytes that differ with their place and with `seed`. They repeat after a prime number of them, so that no part begins
/// like another.
fn content(seed: u32, length: u64) -> Vec<u8> {
    let block = (0..4_093_u32).map(|at| (at.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8);
    let length = usize::try_from(length).unwrap();
    let mut bytes = block.collect::<Vec<_>>().repeat(length / 4_093 + 1);
    bytes.truncate(length);
    bytes
}

fn part_content(part: &Part) -> Vec<u8> {
    content(part.number * 1_000_003, part.length())
}

fn arrived(parts: &[Part]) -> Vec<Arrived> {
    parts.iter().map(|part| Arrived { number: part.number, size: part.length() }).collect()
}

async fn send_part(
    quarantine: &impl Quarantine,
    client: &Client,
    upload: &UploadRow,
    part: &Part,
    body: Vec<u8>,
) {
    let put = quarantine.sign_part(upload, part, soon()).await.unwrap();
    assert_eq!(client.put(&put, body).await, 200, "part {}", part.number);
}

async fn all_bytes_arrive_once(quarantine: &impl Quarantine) {
    let (client, upload) = (Client::new(), upload(1, 70_000));
    let body = content(0, 70_000);
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
    assert_eq!(quarantine.read(&upload, 0..10).await.unwrap(), None);
    let until = soon();
    let put = quarantine.sign_put(&upload, until).await.unwrap();
    assert!(put.expires <= until && put.expires >= until.minus_seconds(10), "{put:?}");
    assert!(put.headers.contains(&("content-length", "70000".to_owned())), "{put:?}");
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing, "an address alone is nothing");
    assert_eq!(client.put(&put, body.clone()).await, 200);
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Whole(70_000));

    // The same address, and another one, do not replace it.
    let again = quarantine.sign_put(&upload, soon()).await.unwrap();
    for address in [&put, &again] {
        assert!(is_refused(client.put(address, content(9, 70_000)).await));
    }
    for range in [0..70_000, 0..1, 69_999..70_000, 12_345..54_321, 5..5] {
        let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        let read = quarantine.read(&upload, range).await.unwrap().unwrap();
        assert!(read == body[start..end], "{start}..{end}");
    }
}

async fn another_length_is_refused(quarantine: &impl Quarantine) {
    let (client, upload) = (Client::new(), upload(1, 1_000));
    let put = quarantine.sign_put(&upload, soon()).await.unwrap();
    for length in [999, 1_001, 0] {
        assert!(is_refused(client.put(&put, content(0, length)).await), "{length} bytes");
        assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing, "{length} bytes");
    }
    // The signed length, and more bytes behind it, which belong to no request.
    client::pour(&put, &content(0, 1_000), &content(1, 500)).await;
    let found = quarantine.found(&upload).await.unwrap();
    assert!([Found::Nothing, Found::Whole(1_000)].contains(&found), "{found:?}");
}

async fn what_breaks_off_leaves_nothing(quarantine: &impl Quarantine) {
    let (client, upload) = (Client::new(), upload(1, 200_000));
    let put = quarantine.sign_put(&upload, soon()).await.unwrap();
    for sent in [0, 1, 100_000, 199_999] {
        client::break_off(&put, &content(0, sent)).await;
        assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing, "after {sent} bytes");
    }
    // The address is still good.
    assert_eq!(client.put(&put, content(5, 200_000)).await, 200);
    assert!(quarantine.read(&upload, 0..200_000).await.unwrap().unwrap() == content(5, 200_000));
}

async fn an_address_ends(quarantine: &impl Quarantine) {
    let (client, upload) = (Client::new(), upload(1, 10));
    let until = SystemClock.now().plus_seconds(2);
    let put = quarantine.sign_put(&upload, until).await.unwrap();
    assert!(put.expires <= until);
    while SystemClock.now() <= until.plus_seconds(1) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(client.put(&put, content(0, 10)).await, 403);
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
}

async fn of_several_requests_one_counts(quarantine: &impl Quarantine) {
    let (client, upload) = (Client::new(), upload(1, 50_000));
    let put = quarantine.sign_put(&upload, soon()).await.unwrap();
    let race = (0..8).map(|racer| {
        let (client, put) = (&client, &put);
        async move { client.put(put, content(racer, 50_000)).await }
    });
    let statuses = join_all(race).await;
    let won: Vec<u32> = (0..8).filter(|racer| statuses[*racer as usize] == 200).collect();
    assert_eq!(won.len(), 1, "{statuses:?}");
    assert!(quarantine.read(&upload, 0..50_000).await.unwrap().unwrap() == content(won[0], 50_000));
}

async fn what_is_removed_is_gone(quarantine: &impl Quarantine) {
    let (client, upload) = (Client::new(), upload(1, 10));
    quarantine.remove(&upload).await.unwrap();
    let put = quarantine.sign_put(&upload, soon()).await.unwrap();
    assert_eq!(client.put(&put, content(0, 10)).await, 200);
    for _ in 0..2 {
        quarantine.remove(&upload).await.unwrap();
        assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
        assert_eq!(quarantine.read(&upload, 0..10).await.unwrap(), None);
    }
    // An address outlives what it has written: the sweeper looks again.
    assert_eq!(client.put(&put, content(1, 10)).await, 200);
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Whole(10));
    quarantine.remove(&upload).await.unwrap();
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
}

async fn uploads_do_not_meet(quarantine: &impl Quarantine) {
    let client = Client::new();
    let other_tenant = UploadRow { tenant: "acme".parse().unwrap(), ..upload(1, 10) };
    let uploads = [upload(1, 10), upload(2, 10), other_tenant];
    for (seed, upload) in (0..).zip(&uploads) {
        let put = quarantine.sign_put(upload, soon()).await.unwrap();
        assert_eq!(client.put(&put, content(seed, 10)).await, 200);
    }
    quarantine.remove(&uploads[1]).await.unwrap();
    for (seed, upload) in (0..).zip(&uploads) {
        let expected = (seed != 1).then(|| content(seed, 10));
        assert_eq!(quarantine.read(upload, 0..10).await.unwrap().map(Vec::from), expected);
    }
}

async fn parts_arrive_in_any_order_and_again(quarantine: &impl Quarantine) {
    let client = Client::new();
    let (upload, parts) = in_parts(quarantine).await;
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
    for part in parts.iter().rev() {
        send_part(quarantine, &client, &upload, part, part_content(part)).await;
    }
    // The last whole request counts.
    let again = &parts[3];
    send_part(quarantine, &client, &upload, again, content(7, again.length())).await;
    // A request that breaks off takes nothing away.
    let put = quarantine.sign_part(&upload, &parts[5], soon()).await.unwrap();
    client::break_off(&put, &content(9, 300_000)).await;
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Parts(arrived(&parts)));
    assert_eq!(quarantine.read(&upload, 0..10).await.unwrap(), None, "parts are not the whole");

    // A hint, an event and a sweeper may join at the same time, and once more.
    for joined in join_all((0..3).map(|_| quarantine.join(&upload))).await {
        joined.unwrap();
    }
    quarantine.join(&upload).await.unwrap();
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Whole(upload.size));
    for part in &parts {
        let expected = if part == again { content(7, part.length()) } else { part_content(part) };
        let read = quarantine.read(&upload, part.range.clone()).await.unwrap().unwrap();
        assert!(read == expected, "part {}", part.number);
    }
    let border = parts[1].range.start;
    let read = quarantine.read(&upload, border - 1..border + 1).await.unwrap().unwrap();
    assert_eq!(read, [*part_content(&parts[0]).last().unwrap(), part_content(&parts[1])[0]].as_slice());

    let late = quarantine.sign_part(&upload, &parts[0], soon()).await.unwrap();
    assert!(is_refused(client.put(&late, part_content(&parts[0])).await), "it is joined");
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Whole(upload.size));
    for _ in 0..2 {
        quarantine.remove(&upload).await.unwrap();
        assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
    }
}

async fn a_part_of_another_length_is_refused(quarantine: &impl Quarantine) {
    let client = Client::new();
    let (upload, _) = in_parts(quarantine).await;
    let part = Part { number: 2, range: 1_000..1_100 };
    let put = quarantine.sign_part(&upload, &part, soon()).await.unwrap();
    for length in [99, 101] {
        assert!(is_refused(client.put(&put, content(0, length)).await), "{length} bytes");
    }
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
    assert_eq!(client.put(&put, content(0, 100)).await, 200);
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Parts(arrived(&[part])));
}

async fn a_part_that_breaks_off_leaves_nothing(quarantine: &impl Quarantine) {
    let (upload, parts) = in_parts(quarantine).await;
    let put = quarantine.sign_part(&upload, &parts[1], soon()).await.unwrap();
    client::break_off(&put, &content(0, 300_000)).await;
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
    send_part(quarantine, &Client::new(), &upload, &parts[1], part_content(&parts[1])).await;
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Parts(arrived(&parts[1..2])));
}

async fn what_is_incomplete_is_not_joined(quarantine: &impl Quarantine) {
    let client = Client::new();
    let (upload, parts) = in_parts(quarantine).await;
    assert!(quarantine.join(&upload).await.is_err(), "nothing has arrived");
    send_part(quarantine, &client, &upload, &parts[0], part_content(&parts[0])).await;
    assert!(quarantine.join(&upload).await.is_err());
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Parts(arrived(&parts[..1])));
    quarantine.remove(&upload).await.unwrap();
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
    assert!(quarantine.join(&upload).await.is_err(), "it was removed");
}

async fn of_two_multipart_uploads_one_is_aborted(quarantine: &impl Quarantine) {
    let client = Client::new();
    let (upload, parts) = in_parts(quarantine).await;
    // A second process begins one too, and finds that the first has noted its own.
    let lost = quarantine.begin(&upload).await.unwrap();
    send_part(quarantine, &client, &upload, &parts[11], part_content(&parts[11])).await;
    for _ in 0..2 {
        quarantine.abort(&upload, &lost).await.unwrap();
    }
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Parts(arrived(&parts[11..])));
}

async fn every_part_is_listed(quarantine: &impl Quarantine) {
    // Three pages of S3, which lists 1,000 parts at a time.
    const PARTS: u32 = 2_001;
    let client = Client::new();
    let (upload, _) = in_parts(quarantine).await;
    let parts: Vec<Part> =
        (1..=PARTS).map(|number| Part { number, range: u64::from(number)..u64::from(number) + 1 }).collect();
    for some in parts.chunks(8) {
        join_all(some.iter().map(|part| send_part(quarantine, &client, &upload, part, vec![7]))).await;
    }
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Parts(arrived(&parts)));
    quarantine.remove(&upload).await.unwrap();
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
}

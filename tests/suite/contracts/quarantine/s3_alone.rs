//! The guarantees of S3 beyond the contract, and the adapter's reaction to S3's answers when several processes join the parts
//! of one upload.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use credlink_core::hash::MediaHash;
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::Found;
use credlink_ports::{FailureKind, Quarantine as _};
use credlink_s3::{Encryption, S3Quarantine, S3Settings};

use super::client::Client;
use super::{arrived, content, in_parts, part_content, send_part, soon, upload};
use crate::buckets::{self, quarantine};

#[tokio::test]
async fn announced_bytes_alone_are_taken() {
    let (client, quarantine) = (Client::new(), buckets::s3_quarantine().await);
    let body = content(0, 1_000);
    let upload = UploadRow { media_hash: Some(MediaHash::of(&body)), ..upload(1, 1_000) };
    let put = quarantine.sign_put(&upload, soon()).await.unwrap();
    assert_eq!(client.put(&put, content(1, 1_000)).await, 400, "other bytes");
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
    assert_eq!(client.put(&put, body).await, 200);
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Whole(1_000));
}

/// A client that changes or leaves out a header could replace what is there, or send other bytes than it announced.
async fn headers_are_signed(quarantine: &S3Quarantine) {
    let client = Client::new();
    let body = content(0, 100);
    let upload = UploadRow { media_hash: Some(MediaHash::of(&body)), ..upload(1, 100) };
    let put = quarantine.sign_put(&upload, soon()).await.unwrap();
    for (name, other) in [
        ("if-none-match", ""),
        ("if-none-match", "\"x\""),
        ("content-type", "text/html"),
        ("x-amz-checksum-sha256", ""),
        ("x-amz-checksum-sha256", "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="),
    ] {
        assert_eq!(client.put_with(&put, &[(name, other)], body.clone()).await, 403, "{name}: {other:?}");
        assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Nothing);
    }
    assert_eq!(client.put(&put, body).await, 200);
}

#[tokio::test]
async fn headers_are_signed_for_s3() {
    headers_are_signed(&buckets::s3_quarantine().await).await;
}

#[tokio::test]
async fn headers_are_signed_for_r2() {
    headers_are_signed(&buckets::r2_quarantine()).await;
}

#[tokio::test]
async fn a_configured_encryption_is_asked_for_by_the_client() {
    let bucket = buckets::s3_quarantine().await.settings().bucket.clone();
    let settings = S3Settings { encryption: Encryption::Aes256, ..buckets::s3_settings(&bucket) };
    let (client, quarantine, upload) = (Client::new(), quarantine(settings), upload(1, 10));
    let put = quarantine.sign_put(&upload, soon()).await.unwrap();
    assert!(put.headers.contains(&("x-amz-server-side-encryption", "AES256".to_owned())), "{put:?}");
    assert_eq!(client.put(&put, content(0, 10)).await, 200);
    let head =
        buckets::raw().head_object().bucket(bucket).key(upload.key().to_string()).send().await.unwrap();
    assert_eq!(head.server_side_encryption().map(|kind| kind.as_str()), Some("AES256"));
}

#[tokio::test]
async fn parts_never_replace_what_is_there() {
    let (client, quarantine) = (Client::new(), buckets::s3_quarantine().await);
    let bucket = &quarantine.settings().bucket;
    let (upload, parts) = in_parts(&quarantine).await;
    for part in &parts {
        send_part(&quarantine, &client, &upload, part, part_content(part)).await;
    }
    let found = quarantine.found(&upload).await.unwrap();
    assert_eq!(found, Found::Parts(arrived(&parts)));
    let other = aws_sdk_s3::primitives::ByteStream::from_static(b"other");
    let put = buckets::raw().put_object().bucket(bucket).key(upload.key().to_string()).body(other);
    put.send().await.unwrap();
    quarantine.join(&upload).await.unwrap();
    assert_eq!(quarantine.found(&upload).await.unwrap(), Found::Whole(5));
    let left = buckets::raw().list_multipart_uploads().bucket(bucket).send().await.unwrap();
    assert!(left.uploads().is_empty(), "{left:?}");
}

/// An answer of the provider: what was asked, the status, and the body.
type Answer = (&'static str, u16, String);

/// A provider that gives these answers, and no others.
struct Script {
    endpoint: String,
    left: Arc<Mutex<VecDeque<Answer>>>,
}

impl Script {
    fn of(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let left: Arc<Mutex<VecDeque<Answer>>> = Arc::new(Mutex::new(answers.into_iter().collect()));
        let answers = Arc::clone(&left);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answers = Arc::clone(&answers);
                std::thread::spawn(move || answer(stream, &answers));
            }
        });
        Self { endpoint, left }
    }

    fn quarantine(&self) -> S3Quarantine {
        quarantine(buckets::s3_settings("bucket").at(&self.endpoint))
    }

    fn assert_done(&self) {
        let left = self.left.lock().unwrap();
        assert!(left.is_empty(), "was not asked: {left:?}");
    }
}

fn answer(stream: TcpStream, answers: &Mutex<VecDeque<Answer>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let (mut line, mut length) = (String::new(), 0);
        while reader.read_line(&mut line).unwrap() > 2 {
            if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = said.trim().parse().unwrap();
            }
            line.clear();
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        let asked = match (first.split(' ').next().unwrap(), first.contains("uploadId=")) {
            ("GET", true) => "list",
            ("POST", true) => "join",
            ("DELETE", true) => "abort",
            ("GET", false) => "get",
            ("HEAD", false) => "head",
            other => panic!("{other:?} of {first}"),
        };
        let next = answers.lock().unwrap().pop_front();
        let (status, body) = match next {
            Some((expected, status, body)) if expected == asked => (status, body),
            other => {
                (400, format!("<Error><Code>Script</Code><Message>{asked}, not {other:?}</Message></Error>"))
            }
        };
        let length = body.len();
        let body = if asked == "head" { String::new() } else { body };
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
        writer.write_all(answer.as_bytes()).unwrap();
    }
}

fn error(code: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>a message</Message></Error>")
}

/// A page of a listing of parts, and the number after which the next one begins.
fn listing(parts: &[(u32, u64)], next: Option<u32>) -> String {
    let mut xml = String::from("<ListPartsResult>");
    for (number, size) in parts {
        write!(xml, "<Part><PartNumber>{number}</PartNumber><Size>{size}</Size><ETag>\"x\"</ETag></Part>")
            .unwrap();
    }
    if let Some(next) = next {
        write!(xml, "<IsTruncated>true</IsTruncated><NextPartNumberMarker>{next}</NextPartNumberMarker>")
            .unwrap();
    }
    xml + "</ListPartsResult>"
}

fn all_parts() -> String {
    let plan = credlink_core::rules::upload::Plan::of(SIZE);
    let parts: Vec<_> =
        (1..=plan.count()).map(|number| (number, plan.part(number).unwrap().length())).collect();
    listing(&parts, None)
}

const SIZE: u64 = 100_000_001;

fn row() -> UploadRow {
    UploadRow { multipart: Some("id".to_owned()), ..upload(1, SIZE) }
}

#[tokio::test]
async fn who_joins_later_finds_the_whole() {
    let (list, whole) = (|| ("list", 200, all_parts()), || ("head", 200, "whole".to_owned()));
    for answers in [
        // It was joined before.
        vec![("list", 404, error("NoSuchUpload")), whole()],
        // It was joined after the listing.
        vec![list(), ("join", 404, error("NoSuchUpload")), ("list", 404, error("NoSuchUpload")), whole()],
        // The answer got lost, or another upload was joined: what is left of this one is aborted.
        vec![list(), ("join", 412, error("PreconditionFailed")), whole(), ("abort", 204, String::new())],
        vec![
            list(),
            ("join", 412, error("PreconditionFailed")),
            whole(),
            ("abort", 404, error("NoSuchUpload")),
        ],
        // It is being joined.
        vec![
            list(),
            ("join", 409, error("ConditionalRequestConflict")),
            ("list", 404, error("NoSuchUpload")),
            whole(),
        ],
        vec![
            list(),
            ("join", 409, error("ConditionalRequestConflict")),
            list(),
            ("join", 200, "<CompleteMultipartUploadResult/>".to_owned()),
        ],
    ] {
        let script = Script::of(answers);
        script.quarantine().join(&row()).await.unwrap();
        script.assert_done();
    }
}

#[tokio::test]
async fn what_is_gone_is_not_joined() {
    let gone = [("head", 404, String::new()), ("get", 404, error("NoSuchKey"))];
    for before in [
        vec![("list", 404, error("NoSuchUpload"))],
        vec![("list", 200, all_parts()), ("join", 412, error("PreconditionFailed"))],
    ] {
        let script = Script::of(before.into_iter().chain(gone.clone()));
        let failure = script.quarantine().join(&row()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
        script.assert_done();
    }
    let script = Script::of([("list", 200, listing(&[(1, 8_388_608), (2, 1)], None))]);
    let failure = script.quarantine().join(&row()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Damaged);
    assert!(failure.message.contains("8388608 bytes together, and not 100000001"), "{failure}");
    script.assert_done();
}

#[tokio::test]
async fn a_missing_bucket_is_not_an_upload_without_bytes() {
    let script = Script::of([("head", 404, String::new()), ("get", 404, error("NoSuchBucket"))]);
    script.quarantine().found(&row()).await.unwrap_err();
    script.assert_done();
    let script = Script::of([("abort", 404, error("NoSuchBucket"))]);
    script.quarantine().remove(&row()).await.unwrap_err();
    script.assert_done();
}

#[tokio::test]
async fn what_changes_between_two_calls_is_found() {
    let nothing = || [("head", 404, String::new()), ("get", 404, error("NoSuchKey"))];
    let gone = || [("list", 404, error("NoSuchUpload"))];
    for (after, expected) in
        [(vec![("head", 200, "whole".to_owned())], Found::Whole(5)), (Vec::from(nothing()), Found::Nothing)]
    {
        let script = Script::of(nothing().into_iter().chain(gone()).chain(after));
        assert_eq!(script.quarantine().found(&row()).await.unwrap(), expected);
        script.assert_done();
    }
}

#[tokio::test]
async fn a_listing_that_does_not_go_on_is_a_failure() {
    let nothing = [("head", 404, String::new()), ("get", 404, error("NoSuchKey"))];
    let pages = [("list", 200, listing(&[(1, 5)], Some(1))), ("list", 200, listing(&[(1, 5)], Some(1)))];
    let script = Script::of(nothing.into_iter().chain(pages));
    let failure = script.quarantine().found(&row()).await.unwrap_err();
    assert!(failure.message.contains("does not go on"), "{failure}");
    script.assert_done();
}

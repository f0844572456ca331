//! Long originals, whose bytes are sent from their files: whole, in parts, to several readers and to slow ones, in memory
//! that does not grow with them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;

use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::pictures::{document, padded, png};
use super::readers::Site;
use crate::buckets;
use crate::engines::{ministack, unique};
use crate::server::Server;

/// The memory that a server may need more while it sends long originals, in bytes.
const MORE_BYTES: u64 = 24_000_000;

/// Returns the most memory that a server has had so far, in bytes.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1_024
}

/// Returns the longest file in a folder.
fn longest_file(folder: &Path) -> PathBuf {
    let (mut folders, mut longest) = (vec![folder.to_owned()], (0, PathBuf::new()));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.len() > longest.0 {
                longest = (metadata.len(), path);
            }
        }
    }
    longest.1
}

/// Asks for an original, and reads nothing of the answer.
fn ask(server: &Server, path: &str) -> TcpStream {
    let authority = server.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {authority}\r\n\r\n").unwrap();
    stream
}

#[test]
fn long_originals_are_read_whole_and_in_parts_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (data, lengths) = (folder.path().join("data"), [25_000_000, 100_000_000]);
    let files: Vec<(String, Vec<u8>)> = {
        let server = Server::over(&data, &[]);
        let client = Client::new(server.url());
        let file = |length| {
            let text = document(length, 5);
            (client.file("temp", "application/pdf", &text, &json!({})), text)
        };
        lengths.map(file).into()
    };
    // The finaliser holds a file as a whole, so that the memory of reads is measured in another process.
    let server = Server::over(&data, &[]);
    let client = Client::new(server.url());
    assert_eq!(client.get("/v1/health").status, 200);
    let before = peak(&server);
    for (id, text) in &files {
        let path = format!("/media/{id}/original");
        let read = client.get(&path);
        assert_eq!((read.status, read.header("content-length")), (200, text.len().to_string().as_str()));
        assert!(read.body == *text, "{} bytes", text.len());
        let (tag, last) = (read.header("etag").to_owned(), text.len() - 1);
        for (range, part) in [
            (format!("bytes=0-{last}"), &text[..]),
            ("bytes=131071-131072".to_owned(), &text[131_071..=131_072]),
            ("bytes=20000000-".to_owned(), &text[20_000_000..]),
            ("bytes=-7".to_owned(), &text[text.len() - 7..]),
            (format!("bytes={last}-{}", last + 9), &text[last..]),
        ] {
            let read = client.send(&Method::GET, &path, &[("range", &range)], &[]);
            assert_eq!(read.status, 206, "{range}");
            assert!(read.body == part, "{range}: {} bytes", read.body.len());
        }
        let head = client.send(&Method::HEAD, &path, &[], &[]);
        assert_eq!((head.status, head.header("content-length")), (200, text.len().to_string().as_str()));
        for (headers, status) in [
            ([("if-none-match", tag.as_str())], 304),
            ([("if-match", "\"other\"")], 412),
            ([("range", "bytes=999999999-")], 416),
        ] {
            assert_eq!(client.send(&Method::GET, &path, &headers, &[]).status, status, "{headers:?}");
        }
    }
    let both = || {
        let read = |(id, text): &(String, Vec<u8>)| {
            let read = Client::new(server.url()).get(&format!("/media/{id}/original"));
            read.status == 200 && read.body == *text
        };
        thread::scope(|scope| {
            let readers: Vec<_> = files.iter().map(|file| scope.spawn(move || read(file))).collect();
            readers.into_iter().all(|reader| reader.join().unwrap())
        })
    };
    assert!(both(), "two at once");
    // Two hundred readers who read nothing do not keep others from reading.
    let path = format!("/media/{}/original", files[0].0);
    let mut slow: Vec<TcpStream> = (0..200).map(|_| ask(&server, &path)).collect();
    for stream in &mut slow {
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    assert!(both(), "beside slow readers");
    let held = peak(&server).saturating_sub(before);
    assert!(held < MORE_BYTES + 200 * 400_000, "{held} bytes more");
    drop(slow);
}

/// So are those that are in a bucket alone, which are requested piece by piece.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_originals_in_a_bucket_are_read_whole_and_in_parts() {
    let bucket = unique("long");
    buckets::make(&bucket).await;
    let variables = [
        ("STORAGE_PROVIDER", "s3"),
        ("STORAGE_BUCKET", bucket.as_str()),
        ("STORAGE_REGION", ministack::REGION),
        ("STORAGE_ENDPOINT", ministack::endpoint()),
        ("AWS_ACCESS_KEY_ID", ministack::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ministack::SECRET),
    ];
    let folder = tempfile::tempdir().unwrap();
    let text = document(25_000_000, 6);
    let id = tokio::task::block_in_place(|| {
        let server = Server::with(folder.path(), &[], &variables);
        Client::new(server.url()).file("temp", "application/pdf", &text, &json!({}))
    });
    tokio::task::block_in_place(|| {
        let server = Server::with(folder.path(), &[], &variables);
        let client = Client::new(server.url());
        assert_eq!(client.get("/v1/health").status, 200);
        let (before, path) = (peak(&server), format!("/media/{id}/original"));
        let read = client.get(&path);
        assert!(read.status == 200 && read.body == text, "{}", read.status);
        let part = client.send(&Method::GET, &path, &[("range", "bytes=20000000-20999999")], &[]);
        assert!(part.status == 206 && part.body == text[20_000_000..21_000_000], "{}", part.status);
        let held = peak(&server).saturating_sub(before);
        assert!(held < MORE_BYTES, "{held} bytes more");
    });
}

/// The bytes are checked before the first of them is sent.
#[test]
fn a_long_original_that_was_damaged_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::over(folder.path(), &[]);
    let client = Client::new(server.url());
    let id = client.file("temp", "application/pdf", &document(3_000_000, 5), &json!({}));
    let path = format!("/media/{id}/original");
    assert_eq!(client.get(&path).status, 200);
    let found = longest_file(&folder.path().join("objects"));
    let mut bytes = std::fs::read(&found).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&found, bytes).unwrap();
    // The content is remembered as sound, so the damage shows where it is read. From then on, it is checked as a whole.
    for headers in [vec![("range", "bytes=-10")], vec![], vec![("range", "bytes=0-9")]] {
        let read = client.send(&Method::GET, &path, &headers, &[]);
        assert_eq!((read.status, read.problem().as_str()), (502, "damaged"));
    }
}

/// An answer for which there is no room is logged as what it is.
#[test]
fn an_access_without_room_is_logged_as_refused() {
    let site = Site::start();
    let anna = site.client("anna", "media:write");
    let id = anna.file("temp", "application/pdf", &document(3_000_000, 5), &json!({}));
    let path = format!("/media/{id}/original");
    let authority = site.server.url().trim_start_matches("http://").to_owned();
    // As many readers as one address may have, and some more.
    let readers: Vec<TcpStream> = (0..350)
        .map(|_| {
            let mut stream = TcpStream::connect(&authority).unwrap();
            let token = anna.token.as_deref().unwrap();
            write!(
                stream,
                "GET {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n\r\n"
            )
            .unwrap();
            stream
        })
        .collect();
    let mut told = BTreeMap::<String, u64>::new();
    for mut stream in &readers {
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        *told.entry(String::from_utf8_lossy(&first[9..]).into_owned()).or_default() += 1;
    }
    drop(readers);
    assert_eq!(told.keys().collect::<Vec<_>>(), ["200", "503"], "{told:?}");
    let (mut logged, mut after) = (BTreeMap::<String, u64>::new(), String::new());
    loop {
        let page = anna.get(&format!("/v1/files/{id}/audit?limit=100{after}")).json();
        for entry in page["entries"].as_array().unwrap() {
            *logged.entry(entry["status"].to_string()).or_default() += 1;
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(logged, told);
}

#[test]
fn many_requests_for_the_same_picture_do_not_hold_it_many_times() {
    let site = Site::with(&[("CREDLINK_UPLOADS_PER_MINUTE", "100000")]);
    let anna = site.client("anna", "media:write");
    let id = anna.file("item-photo", "image/png", &padded(400, 12_000_000), &json!({}));
    let before = peak(&site.server);
    let admin = site.client("backend", "media:admin");
    let change = || admin.send(&Method::POST, &format!("/v1/files/{id}/renditions"), &[], &[]).status;
    let statuses: Vec<u16> = thread::scope(|scope| {
        let all: Vec<_> = (0..60).map(|_| scope.spawn(change)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
    let more = peak(&site.server).saturating_sub(before);
    assert!(more < 100_000_000, "{more} bytes more");
}

/// However often the focal point changes, a picture has few renditions.
#[test]
fn focal_points_make_few_renditions() {
    let site = Site::with(&[("CREDLINK_UPLOADS_PER_MINUTE", "100000")]);
    let (anna, operator) = (site.client("anna", "media:write"), site.client("root", "operator"));
    let id = anna.file("profile-photo", "image/png", &png(90, 60, 3), &json!({}));
    let path = format!("/v1/files/{id}");
    let counted = || operator.get("/v1/stats").json()["files"]["renditions"].as_u64().unwrap();
    let before = counted();
    let focal = |x: f64, y: f64| {
        let changed = anna.json(&Method::PATCH, &path, &[], &json!({"focal": {"x": x, "y": y}}));
        assert_eq!(changed.status, 200, "{}", changed.json());
        assert_eq!(changed.json()["focal"], json!({"x": x, "y": y}), "it is kept as it was given");
    };
    // Only one edge has room, and points beside each other cut the same square.
    for at in (0..=100).step_by(5) {
        focal(0.5, f64::from(at) / 100.0);
    }
    assert_eq!(counted(), before, "nothing is cut otherwise");
    for at in 0..=100 {
        focal(f64::from(at) / 100.0, 0.25);
    }
    // From 0.34 to 0.68 in steps of 0.02, as JPEG and as WebP. Those of the centre were there before.
    assert_eq!(counted(), before + 2 * 17);
    let array = anna.json(&Method::PATCH, &path, &[], &json!({"focal": [0.1, 0.3]}));
    assert_eq!((array.status, array.problem().as_str()), (400, "invalid-field"));
    // Cutting counts as an upload.
    let site = Site::with(&[("CREDLINK_UPLOADS_PER_MINUTE", "3")]);
    let anna = site.client("anna", "media:write");
    let id = anna.file("profile-photo", "image/png", &png(90, 60, 3), &json!({}));
    let change = |body: Value| anna.json(&Method::PATCH, &format!("/v1/files/{id}"), &[], &body).status;
    let statuses: Vec<u16> = [0.4, 0.5, 0.6].map(|x| change(json!({"focal": {"x": x, "y": 0.5}}))).into();
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(change(json!({"alt": "A square"})), 200, "other changes do not count");
}

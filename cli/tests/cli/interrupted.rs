//! Transfers that break off: at the program, at the server and between them. Each goes on with what is missing.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use credlink_core::hash::MediaHash;
use serde_json::json;

use crate::relay::{Act, Relay};
use crate::world::{Server, World};

const JPEG: &[u8] = include_bytes!("../../../tests/pictures/waves.jpg");

/// A collection whose files may be longer than what is sent at once.
const ARCHIVE: &str = r#"{"version": 1, "collections": {"archive": {
    "version": 1, "types": ["application/pdf"], "max_bytes": 200000000, "access": "public",
    "metadata": {"published": "keep"}
}}}"#;

/// The length of a file that is sent in 12 parts, in bytes.
const LENGTH: usize = 100_000_001;

/// Starts a server whose addresses lead through a relay.
fn behind(relay: &Relay, world: &World) -> Server {
    let options = format!(" --public-url {}", relay.url());
    let server = Server::of(world, &options, &[("CREDLINK_COLLECTIONS", world.path("collections.json"))]);
    relay.leads_to(server.url());
    server
}

fn world() -> (World, Relay) {
    let world = World::new();
    world.write("collections.json", ARCHIVE.as_bytes());
    world.write("a.jpg", JPEG);
    (world, Relay::start())
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts an upload of `a.jpg` whose bytes the relay holds back. Returns the program, and the upload's ID.
fn held(world: &World, relay: &Relay, url: &str) -> (Child, String) {
    relay.decides(|first| if first.starts_with("PUT ") { Act::Hold } else { Act::Pass });
    let typed = format!("files put a.jpg --collection item-photo {url}");
    let child = world.command(&typed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the bytes are on their way", || !relay.requests("PUT ").is_empty());
    let upload = relay.requests("PUT ").remove(0).split('/').nth(3).unwrap().to_owned();
    (child, upload)
}

#[test]
fn only_missing_parts_are_sent_after_the_program_or_the_server_was_killed() {
    let (world, relay) = world();
    let server = behind(&relay, &world);
    let mut bytes = b"%PDF-1.7\n".to_vec();
    bytes.extend((bytes.len()..LENGTH).map(|at| (at / 251) as u8 ^ (at % 251) as u8));
    world.write("long.pdf", &bytes);
    let typed =
        format!("files put long.pdf --json --collection archive --concurrency 2 --url {}", relay.url());

    // The program is killed once four parts are there, and one is on its way.
    let parts = AtomicUsize::new(0);
    relay.decides(move |first| match first.contains("&part=") || first.contains("?part=") {
        true if parts.fetch_add(1, Ordering::SeqCst) >= 4 => Act::Hold,
        _ => Act::Pass,
    });
    let mut child = world.command(&typed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("four parts are sent, and two are held", || relay.requests("part=").len() >= 6);
    // The third part of a second program, which would send the same bytes.
    world.run(&typed).ends(2).says(&["is being sent already"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(relay.requests("POST /v1/uploads ").len(), 1);
    let sent_before: Vec<String> = numbers(&relay).into_iter().take(4).collect();

    // The same command goes on, and the server is killed in between.
    relay.passes();
    let restarted = AtomicUsize::new(0);
    relay.decides(move |first| match first.contains("part=") {
        true if restarted.fetch_add(1, Ordering::SeqCst) == 3 => Act::Cut(1_000_000),
        _ => Act::Pass,
    });
    let child = world.command(&typed).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("parts are sent again", || relay.requests("part=").len() >= 3);
    drop(server);
    std::thread::sleep(Duration::from_millis(300));
    let server = behind(&relay, &world);
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(relay.requests("POST /v1/uploads ").is_empty(), "the upload is the same");
    let sent_after = numbers(&relay);
    assert!(sent_before.iter().all(|number| !sent_after.contains(number)), "{sent_before:?} {sent_after:?}");
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["record"]["media_hash"], json!(MediaHash::of(&bytes)));

    // What has ended is not continued: the file is sent anew, and nothing is noted of it afterwards.
    assert_eq!(fs::read_dir(world.path("state/credlink/uploads")).unwrap().count(), 0);
    drop(server);
}

/// The numbers of the parts that were sent, in the order of the requests.
fn numbers(relay: &Relay) -> Vec<String> {
    let requests = relay.requests("part=");
    let number = |first: &String| {
        first.split("part=").nth(1).map(|rest| rest.split(['&', ' ']).next().unwrap().to_owned())
    };
    requests.iter().filter_map(number).collect()
}

#[test]
fn what_passes_is_waited_for() {
    let (world, relay) = world();
    let _server = behind(&relay, &world);
    let typed = format!("files put a.jpg --collection item-photo --url {}", relay.url());
    let problem = |status: &str, slug: &str, headers: &str| {
        let body = json!({"type": format!("urn:credlink:problem:{slug}"), "title": "Title", "detail": "why"})
            .to_string();
        format!("{status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
    };
    let busy = problem("503 Service Unavailable", "busy", "retry-after: 1\r\n");
    let limited = problem("429 Too Many Requests", "too-many-requests", "retry-after: 1\r\n");
    let ended = problem("403 Forbidden", "invalid-link", "");
    // After this answer an upload is looked at, however soon its file is ready.
    let conflict = problem("409 Conflict", "upload-conflict", "");
    let slow_down = "503 Slow Down\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned();
    // Each kind of request fails once, in each way.
    for (request, answers) in [
        ("POST /v1/uploads ", vec![Some(limited.clone()), Some(busy.clone())]),
        ("PUT /v1/uploads/", vec![None, Some(ended), Some(slow_down), Some(busy.clone())]),
        ("/complete ", vec![None, Some(busy.clone())]),
        ("GET /v1/uploads/", vec![Some(busy.clone())]),
    ] {
        let conflict = Mutex::new(request.starts_with("GET ").then(|| conflict.clone()));
        relay.passes();
        let count = AtomicUsize::new(0);
        let failures = answers.len();
        relay.decides(move |first| {
            if first.contains("/complete ")
                && let Some(conflict) = conflict.lock().unwrap().take()
            {
                return Act::Answer(conflict);
            }
            if !first.contains(request) {
                return Act::Pass;
            }
            match answers.get(count.fetch_add(1, Ordering::SeqCst)) {
                Some(Some(answer)) => Act::Answer(answer.clone()),
                Some(None) => Act::Cut(100),
                None => Act::Pass,
            }
        });
        world.run(&typed).ends(0).says(&["a.jpg: ready"]);
        assert!(relay.requests(request).len() > failures, "{request}: {:?}", relay.requests(""));
    }
    // An address that is no longer valid is replaced.
    assert_eq!(relay.requests("POST /v1/uploads ").len(), 1);
}

#[test]
fn what_lasts_is_told_at_once() {
    let (world, relay) = world();
    let _server = behind(&relay, &world);
    let typed = format!("files put a.jpg --collection item-photo --url {}", relay.url());
    let body = "<Error><Code>BadDigest</Code><Message>The digest did not match</Message></Error>";
    let refused =
        format!("400 Bad Request\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    relay.decides(
        move |first| if first.starts_with("PUT ") { Act::Answer(refused.clone()) } else { Act::Pass },
    );
    let ran = world.run(&typed).ends(1);
    ran.says(&["does not take the bytes: 400 Bad Request, BadDigest: The digest did not match"]);
    assert_eq!(relay.requests("PUT ").len(), 1);
    // A server that asks for more than people wait.
    let later = "503 Busy\r\nconnection: close\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n";
    relay.decides(
        move |first| if first.starts_with("PUT ") { Act::Answer(later.to_owned()) } else { Act::Pass },
    );
    world.run(&typed).ends(1).says(&["503"]);
    relay.passes();
    world.run(&typed).ends(0).says(&["a.jpg: ready"]);
    assert!(relay.requests("POST /v1/uploads ").is_empty(), "the announcement of the first command is used");
}

#[test]
fn an_upload_is_continued_by_its_id() {
    let (world, relay) = world();
    let _server = behind(&relay, &world);
    let url = format!("--url {}", relay.url());
    let (mut child, upload) = held(&world, &relay, &url);
    child.kill().unwrap();
    child.wait().unwrap();
    relay.passes();
    world.run(&format!("files status {upload} {url}")).ends(0).says(&["pending", "0 B of "]);
    world.run(&format!("files put photo.jpg --resume {upload} {url}")).ends(2).says(&["and photo.jpg has"]);
    world
        .run(&format!("files put a.jpg photo.jpg --resume {upload} {url}"))
        .ends(2)
        .says(&["one upload, with one file"]);
    let ready = world.run(&format!("files put a.jpg --resume {upload} --json {url}")).ends(0).json();
    assert_eq!((&ready["upload"], &ready["state"]), (&json!(upload), &json!("ready")));
    assert!(relay.requests("POST /v1/uploads ").is_empty());
    // It has become a file, which the first command would have told.
    let same = world.run(&format!("files put a.jpg --json --collection item-photo {url}")).ends(0).json();
    assert_eq!(same["id"], ready["id"]);
    // From then on, the same command makes another file.
    let other = world.run(&format!("files put a.jpg --json --collection item-photo {url}")).ends(0).json();
    assert_ne!(other["id"], ready["id"]);
    let never = "a".repeat(32);
    world.run(&format!("files put a.jpg --resume {never} {url}")).ends(3).says(&["no upload has the id"]);
}

#[test]
fn an_upload_that_was_aborted_is_rejected() {
    let (world, relay) = world();
    let _server = behind(&relay, &world);
    let url = format!("--url {}", relay.url());
    let (mut child, upload) = held(&world, &relay, &url);
    world.run(&format!("files abort {upload} {url}")).ends(0).says(&["aborted"]);
    child.kill().unwrap();
    child.wait().unwrap();
    world.run(&format!("files status {upload} {url}")).ends(1).says(&["rejected", "(aborted)"]);
    relay.passes();
    world.run(&format!("files put a.jpg --resume {upload} {url}")).ends(1).says(&["(aborted)"]);
    // Without its ID, the same command begins anew.
    world.run(&format!("files put a.jpg --collection item-photo {url}")).ends(0).says(&["a.jpg: ready"]);
}

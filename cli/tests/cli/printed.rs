//! Output, whoever reads it: the exit code reports the result, and no value can create a line of its own.

use std::process::{Command, Stdio};

use crate::foreign::answering;
use crate::world::World;

/// Runs a command whose output is not read. Returns the exit code and the error messages.
fn unread(mut command: Command) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_verdict_is_the_same_where_nobody_reads_it() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0);
    for (typed, code) in [
        ("verify photo.jpg --data-dir data", 0),
        ("put photo.jpg --data-dir data", 0),
        ("fsck --data-dir data", 0),
        ("stats --data-dir data", 0),
        // Not all of the output was read, and output is all that this command is for.
        ("list --data-dir data", 10),
        ("list --json --data-dir data", 10),
        ("get photo.jpg --data-dir data", 10),
        ("storage ls -r folder: --data-dir data", 10),
        ("completions bash", 10),
    ] {
        assert_eq!(unread(world.command(typed)), (Some(code), String::new()), "{typed}");
    }
    // The file of the record is missing.
    let shard = std::fs::read_dir(world.path("data/objects/proofs")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_dir_all(shard).unwrap();
    for typed in ["fsck --data-dir data", "fsck --json --data-dir data"] {
        assert_eq!(unread(world.command(typed)), (Some(6), String::new()), "{typed}");
    }
    // A server answers with the record of another file.
    world.run("put photo.jpg --data-dir other").ends(0);
    world.run("get photo.jpg --data-dir other -o record.json").ends(0);
    let record = std::fs::read_to_string(world.path("record.json")).unwrap();
    world.write("forged.jpg", b"\xff\xd8\xff\xe0 another picture");
    let server = answering(move |_| {
        let length = record.len();
        format!("200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{record}")
    });
    let typed = format!("verify forged.jpg --url {server}");
    world.run(&typed).ends(4);
    assert_eq!(unread(world.command(&typed)), (Some(4), String::new()));
}

/// Control characters for a terminal, and a line that could be mistaken for the program's.
const FORGED: &str = "x\n\u{1b}[2K\u{9b}1A\u{7f}\u{202e}\r\u{2713}everything-holds";

#[track_caller]
fn is_harmless(text: &str) {
    let steers = |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
    assert!(!text.contains(steers), "{text:?}");
    let is_forged = |line: &str| line.trim_start().starts_with("\u{2713}everything");
    assert!(!text.lines().any(is_forged), "{text}");
}

#[cfg(unix)]
#[test]
fn the_name_of_a_file_prints_nothing_of_its_own() {
    let world = World::new();
    let name = format!("{FORGED}.jpg");
    world.write(&name, &std::fs::read(world.path("photo.jpg")).unwrap());
    world.write(&format!("{name}.json"), b"{}");
    for json in ["", " --json"] {
        for (command, code) in
            [("verify", 3), ("put", 0), ("verify", 0), ("withdraw", 2), ("delete", 0), ("get", 3)]
        {
            let place = if command == "verify" && code == 3 { "empty" } else { "data" };
            if place == "empty" {
                world.run("put photo.jpg --data-dir empty").ends(0);
                world.run("delete photo.jpg --data-dir empty").ends(0);
            }
            let ran = world.run(&format!("{command} {name} --data-dir {place}{json}")).ends(code);
            is_harmless(&ran.stdout());
            is_harmless(&ran.stderr());
            match (command, json) {
                ("put", "") => assert!(ran.stdout().contains(r"x\n\u{1b}[2K\u{9b}1A"), "{}", ran.report()),
                // The output is JSON with the same value.
                ("put", _) => assert_eq!(ran.json()["file"], name.as_str()),
                _ => {}
            }
        }
        std::fs::remove_dir_all(world.path("data")).unwrap();
    }
    let missing = world.run(&format!("verify no{name} --data-dir empty")).ends(1);
    is_harmless(&missing.stderr());
}

#[test]
fn a_server_prints_nothing_of_its_own() {
    let world = World::new();
    let problem = serde_json::json!({
        "type": "urn:credlink:problem:deleted", "title": FORGED, "detail": FORGED, "field": FORGED, "request_id": FORGED,
    })
    .to_string();
    let server = answering(move |_| {
        let length = problem.len();
        format!(
            "404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{problem}"
        )
    });
    for typed in ["get photo.jpg", "verify photo.jpg", "get photo.jpg --json"] {
        let ran = world.run(&format!("{typed} --url {server}")).ends(3);
        is_harmless(&ran.stderr());
        is_harmless(&ran.stdout());
        assert_eq!(
            ran.stderr().lines().count(),
            if typed.contains("json") { 1 } else { 2 },
            "{}",
            ran.report()
        );
    }
    let row = serde_json::json!({
        "id": FORGED, "media_hash": FORGED, "created": FORGED, "expires": FORGED, "visibility": FORGED, "reads": 1,
        "manifest": {"type": FORGED, "length": 1},
    });
    let page = serde_json::json!({"proofs": [row], "next": null}).to_string();
    let server = answering(move |_| {
        let length = page.len();
        let headers =
            format!("credlink-api: 1\r\ncontent-type: application/json\r\ncontent-length: {length}");
        format!("200 OK\r\n{headers}\r\n\r\n{page}")
    });
    for (typed, lines) in [("list", 2), ("list --json", 1)] {
        let ran = world.run(&format!("{typed} --url {server}")).ends(0);
        is_harmless(&ran.stdout());
        assert_eq!(ran.stdout().lines().count(), lines, "{}", ran.report());
    }
}

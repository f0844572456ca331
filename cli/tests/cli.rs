//! The program as it is run: one process a command, over a folder and over a server on a free port.
//!
//! What a command prints for people is compared as a whole where it is short, and by its telling part where paths and
//! times are in it. Exit codes are part of every check.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A folder with a picture, a manifest for it, and room for data.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("photo.jpg"), b"\xff\xd8\xff\xe0 not much of a picture").unwrap();
        std::fs::write(folder.path().join("photo.jpg.json"), b"{ \"title\" : 1.0 }\n").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Runs `credlink` in this folder, with an environment that says nothing.
    fn command(&self, typed: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_credlink"));
        command.current_dir(self.folder.path()).args(typed.split(' '));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CREDLINK_") {
                command.env_remove(name);
            }
        }
        command
    }

    fn run(&self, typed: &str) -> Ran {
        Ran { typed: typed.to_owned(), output: self.command(typed).output().unwrap() }
    }
}

/// A process that has ended.
struct Ran {
    typed: String,
    output: Output,
}

impl Ran {
    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout()).unwrap_or_else(|error| panic!("{error}: {}", self.report()))
    }

    fn report(&self) -> String {
        let Self { typed, output } = self;
        format!("credlink {typed}: {}\n{}{}", output.status, self.stdout(), self.stderr())
    }

    /// Checks the exit code.
    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.output.status.code(), Some(code), "{}", self.report());
        self
    }

    /// Checks that stdout or stderr says each of these.
    #[track_caller]
    fn says(self, parts: &[&str]) -> Self {
        let report = self.report();
        for part in parts {
            assert!(report.contains(part), "`{part}` is not in: {report}");
        }
        self
    }
}

/// A server, ended by its own id when it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(world: &World, options: &str) -> Self {
        let typed = format!("serve --json --listen 127.0.0.1:0 --data-dir data{options}");
        let mut child = world
            .command(&typed)
            .env("CREDLINK_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: `{line}`"));
        assert_eq!(started["data_dir"], "data");
        Self { url: started["url"].as_str().unwrap().to_owned(), child }
    }

    /// Where commands have to be sent.
    fn address(&self) -> String {
        format!("--url {}", self.url)
    }

    #[cfg(unix)]
    fn terminate(&mut self) -> std::process::ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that can be done with one proof; the same over a folder and over a server.
fn a_life(world: &World, place: &str) {
    let run = |typed: &str| world.run(&format!("{typed} {place}"));
    run("get photo.jpg").ends(if place.starts_with("--url") { 3 } else { 1 });
    let put = run("put photo.jpg --tag album=press --json").ends(0).json();
    assert_eq!((&put["deduplicated"], &put["identical"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!(put["manifest_source"], "photo.jpg.json");
    let id = put["id"].as_str().unwrap();
    let hash = put["media_hash"].as_str().unwrap();

    run("put photo.jpg").ends(0).says(&[
        "there already, with the same manifest",
        id,
        "photo.jpg.json",
        "http://",
    ]);
    world.write("other.json", b"{}");
    run("put photo.jpg --manifest other.json").ends(3).says(&["ANOTHER manifest", "nothing was replaced"]);

    let record = run("get photo.jpg").ends(0).json();
    assert_eq!((&record["media_type"], &record["tags"]["album"]), (&"image/jpeg".into(), &"press".into()));
    let bare = hash.trim_start_matches("sha256:");
    for same in [id, hash, bare, put["url"].as_str().unwrap()] {
        assert_eq!(run(&format!("get {same}")).ends(0).json(), record, "{same}");
    }
    assert_eq!(run("get photo.jpg --manifest").ends(0).stdout(), "{ \"title\" : 1.0 }\n");
    run("get photo.jpg --manifest -o out.json").ends(0).says(&["out.json: 18 bytes"]);
    assert_eq!(std::fs::read(world.path("out.json")).unwrap(), b"{ \"title\" : 1.0 }\n");

    run("verify photo.jpg").ends(0).says(&[
        "✓ the file is sha256:",
        "✓ the manifest has the recorded",
        "– a JSON",
    ]);
    run("list").ends(0).says(&["ID ", id, "application/json"]);
    assert_eq!(run("list --json").ends(0).json()["id"], id);
    assert_eq!(run("stats --json").ends(0).json()["proofs"], 1);

    run("delete photo.jpg").ends(0).says(&["deleted"]);
    run(&format!("delete {id}")).ends(0).says(&["nothing to delete"]);
    run("get photo.jpg").ends(3).says(&["This was deleted"]);
    run("verify photo.jpg").ends(3).says(&["This was deleted"]);
    run("list").ends(0).says(&["there are no proofs"]);
    run("put photo.jpg --expires-in 1").ends(0).says(&["stored"]);
}

#[test]
fn a_life_in_a_folder() {
    let world = World::new();
    a_life(&world, "--data-dir data");
    world.run("fsck --data-dir data").ends(0).says(&["everything is as it has to be"]);
}

#[cfg(unix)]
#[test]
fn a_life_over_a_server_that_stops_when_it_is_told() {
    let world = World::new();
    let mut server = Server::start(&world, "");
    a_life(&world, &server.address());
    world.run("put photo.jpg --data-dir data").ends(1).says(&["used by another process", "credlink serve"]);
    world.run("fsck --data-dir data").ends(1).says(&["used by another process"]);
    assert_eq!(server.terminate().code(), Some(0));
    world.run("fsck --data-dir data").ends(0);
    let key = world.path("data/link-key");
    let before = std::fs::read(&key).unwrap();
    drop(Server::start(&world, ""));
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

#[test]
fn tokens_are_asked_for_where_they_are_given() {
    let world = World::new();
    let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest("secret"));
    let entry =
        |scope: &str| format!(r#"[{{"name":"a","sha256":"{sha256}","tenant":"acme","scopes":["{scope}"]}}]"#);
    world.write("tokens.json", entry("store:manifests").as_bytes());
    let server = Server::start(&world, " --tokens tokens.json");
    let place = format!("{} --tenant acme", server.address());
    world.run(&format!("put photo.jpg --private {place}")).ends(1).says(&["A valid credential is needed"]);
    let with_token = format!("{place} --token secret");
    world.run(&format!("put photo.jpg --private {with_token}")).ends(0).says(&["stored"]);
    world.run(&format!("get photo.jpg {place}")).ends(1).says(&["This is private", "request "]);
    world.run(&format!("verify photo.jpg {with_token}")).ends(0).says(&["it is private"]);
    world.run(&format!("get photo.jpg {with_token}")).ends(0).says(&[r#""visibility":"private""#]);
    world.run(&format!("list {with_token}")).ends(1).says(&["this needs the scope `admin`"]);
    world.run(&format!("get photo.jpg --token wrong {place}")).ends(1).says(&["not known here"]);
    world.run(&format!("get photo.jpg --token secret {}", server.address())).ends(3);
}

#[test]
fn a_body_that_is_not_wanted_is_answered_all_the_same() {
    let world = World::new();
    world.write("tokens.json", b"[]");
    let server = Server::start(&world, " --tokens tokens.json");
    world.write("long.json", format!("{{\"a\":\"{}\"}}", "a".repeat(900_000)).as_bytes());
    let typed = format!("put photo.jpg --manifest long.json {}", server.address());
    world.run(&typed).ends(1).says(&["A valid credential is needed"]);
}

#[test]
fn the_start_is_told_in_words() {
    let world = World::new();
    let mut child = world
        .command("serve --listen 127.0.0.1:0 --data-dir data")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
    while !text.contains("Ctrl-C") && lines.read_line(&mut text).unwrap() > 0 {}
    let _ = child.kill();
    let _ = child.wait();
    insta::with_settings!({ filters => vec![(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT")] }, {
        insta::assert_snapshot!("start", text);
    });
}

#[test]
fn a_server_is_not_started_where_everybody_could_write() {
    let world = World::new();
    world.run("serve --listen 0.0.0.0:0 --data-dir data").ends(2).says(&[
        "0.0.0.0:0",
        "--tokens FILE",
        "127.0.0.1",
    ]);
    assert!(!world.path("data").exists());
    world.run("serve --listen nowhere").ends(2).says(&["--listen is an address and a port"]);
    world.write("tokens.json", b"[{}]");
    world.run("serve --tokens tokens.json").ends(2).says(&["missing field"]);
    world.run("serve --listen 127.0.0.1:0 --public-url here").ends(2).says(&["--public-url is an address"]);
}

#[test]
fn trouble_says_what_to_do() {
    let world = World::new();
    // Port 1 is reserved, and nobody listens on it.
    let nobody = "--url http://127.0.0.1:1";
    world.run(&format!("get photo.jpg {nobody}")).ends(1).says(&[
        "nothing answers",
        "credlink serve",
        "--data-dir",
    ]);
    world.run("get photo.jpg --data-dir nothing").ends(1).says(&["nothing holds no CredLink"]);
    assert!(!world.path("nothing").exists());
    world.write("notes.txt", b"no picture");
    let put = world.run("put notes.txt --data-dir data").ends(1);
    put.says(&["no manifest found", "notes.txt (its type is not known)", "notes.c2pa", "notes.txt.json"]);
    world.write("broken.json", b"{");
    let put = world.run("put notes.txt --manifest broken.json --data-dir data").ends(1);
    put.says(&["The manifest cannot be read", "`manifest_base64`", "request "]);
    world.run("put nothing.jpg --data-dir data").ends(1).says(&["nothing.jpg cannot be read"]);
    world.run("delete urn:c2pa:x --data-dir data").ends(2).says(&["what is deleted is a proof"]);
    world.run("get sha256:abc --data-dir data").ends(2).says(&["64 hexadecimal digits"]);
    world.run("get photo.jpg --url nonsense").ends(2).says(&["--url is an address"]);
    world.run("get photo.jpg --url http://a --data-dir b").ends(2).says(&["not both"]);
    world.run("fsck --url http://a").ends(2).says(&["folder only"]);
    world.run("fly").ends(2);
}

#[test]
fn trouble_is_json_where_json_was_asked_for() {
    let world = World::new();
    let ran = world.run("get photo.jpg --json --url http://127.0.0.1:1").ends(1);
    let problem: Value = serde_json::from_str(&ran.stderr()).unwrap();
    assert_eq!(problem["type"], "urn:credlink:problem:cli:unreachable");
    world.run("put photo.jpg --data-dir data").ends(0);
    let missing = format!("get {} --json --data-dir data", "0".repeat(64));
    let problem: Value = serde_json::from_str(&world.run(&missing).ends(3).stderr()).unwrap();
    assert_eq!(
        (&problem["type"], &problem["status"]),
        (&"urn:credlink:problem:not-found".into(), &404.into())
    );
}

#[test]
fn damage_is_found_and_leftovers_are_repaired() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0);
    let record = find_file(&world.path("data/objects/objects"));
    let sound = std::fs::read(&record).unwrap();
    let mut damaged = sound.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&record, damaged).unwrap();
    world.run("fsck --data-dir data").ends(6).says(&["BROKEN", "proofs/"]);
    let lines = world.run("fsck --json --data-dir data").ends(6).stdout();
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");
    std::fs::write(&record, &sound).unwrap();
    world.run("fsck --data-dir data").ends(0);
    // Without its index, everything is an orphan.
    std::fs::remove_file(world.path("data/index.redb")).unwrap();
    world.run("stats --data-dir data").ends(1);
    std::fs::write(world.path("data/index.redb"), b"").unwrap();
    world.run("fsck --data-dir data").ends(5).says(&["leftover", "--repair removes them"]);
    world.run("fsck --repair --data-dir data").ends(0).says(&["repaired: 1 removed"]);
}

fn find_file(folder: &Path) -> PathBuf {
    let entry = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    if entry.is_dir() { find_file(&entry) } else { entry }
}

#[test]
fn help_is_as_it_is_documented() {
    let world = World::new();
    for command in
        ["", "serve ", "put ", "get ", "verify ", "list ", "delete ", "fsck ", "stats ", "completions "]
    {
        let help = world.run(&format!("{command}--help")).ends(0).stdout();
        let name = if command.is_empty() { "help" } else { command.trim_end() };
        insta::assert_snapshot!(name, help);
    }
    world.run("completions bash").ends(0).says(&["_credlink"]);
}

/// HEAD and odd requests, written by hand.
#[test]
fn http_is_kept_to_the_letter() {
    use std::io::Write as _;
    let world = World::new();
    let server = Server::start(&world, "");
    let put = world.run(&format!("put photo.jpg --json {}", server.address())).ends(0).json();
    let path = format!("/v1/proofs/{}", put["id"].as_str().unwrap());
    let ask = |head: &str| {
        let mut stream = std::net::TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
        write!(stream, "{head}\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.to_ascii_lowercase()
    };
    let length = |answer: &str| {
        let value = answer.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("none");
        value.to_owned()
    };
    let (get, head) = (ask(&format!("GET {path} HTTP/1.1")), ask(&format!("HEAD {path} HTTP/1.1")));
    assert_eq!(length(&get), length(&head), "{get}\n{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let long = format!(
        "POST /v1/proofs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}",
        100_000_000
    );
    assert!(ask(&format!("{long}\r\nExpect: 100-continue")).starts_with("http/1.1 413"));
    assert!(ask(&format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000))).starts_with("http/1.1 431"));
    assert!(ask("nonsense").starts_with("http/1.1 400"));
}

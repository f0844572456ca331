//! What a command says when it cannot do its work.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::Value;

use crate::world::{Server, World};

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
    let no_such_file = "and it is no proof id, manifest id, SHA-256 or URL either";
    world.run(&format!("delete xyz {nobody}")).ends(1).says(&["xyz cannot be read", no_such_file]);
    let asked = "there is no file `xyz` here, so that it was asked for as a legacy id";
    world.run(&format!("get xyz {nobody}")).ends(1).says(&["nothing answers", asked]);
    world.write("notes.txt", b"no picture");
    let put = world.run("put notes.txt --data-dir data").ends(1);
    put.says(&[
        "No manifest was found: tried notes.txt (its type is not known; name it with --media-type)",
        "notes.c2pa",
        "notes.txt.json",
    ]);
    world.write("broken.json", b"{");
    let put = world.run("put notes.txt --manifest broken.json --data-dir data").ends(1);
    put.says(&["The manifest cannot be read: broken.json: ", "nor a JSON one: this is no JSON: EOF"]);
    world.run("put nothing.jpg --data-dir data").ends(1).says(&["nothing.jpg cannot be read"]);
    world.run("put photo.jpg --data-dir data").ends(0);
    let missing = world.run("delete notes.txt --data-dir data").ends(3);
    missing.says(&["there is no such proof", "the one of the tenant `default` was looked for (--tenant)"]);
    world.run("delete urn:c2pa:x --data-dir data").ends(2).says(&[
        "what is deleted is a proof",
        "DELETE /v1/manifests/urn:c2pa:x",
        "`credlink withdraw`",
    ]);
    world.run("get sha256:abc --data-dir data").ends(2).says(&["64 hexadecimal digits"]);
    world.run("get photo.jpg --url nonsense").ends(2).says(&["--url is an address"]);
    world.run("get photo.jpg --url http://a --data-dir b").ends(2).says(&["not both"]);
    world.run("fsck --url http://a").ends(2).says(&["deployment itself"]);
    world.run("fly").ends(2);
}

/// What the file system does not let anybody look at is not told to be absent. A link to itself is such a thing for root too.
#[cfg(unix)]
#[test]
fn what_cannot_be_looked_at_is_not_absent() {
    let world = World::new();
    std::os::unix::fs::symlink("loop", world.path("loop")).unwrap();
    for command in ["fsck", "cleanup", "rebuild", "get photo.jpg", "put photo.jpg", "list", "stats", "serve"]
    {
        let ran = world.run(&format!("{command} --data-dir loop")).ends(1).says(&["(os error "]);
        assert!(!ran.report().contains("no CredLink"), "{}", ran.report());
    }
    // The note can be read, and the index cannot be looked at.
    std::fs::create_dir(world.path("data")).unwrap();
    std::os::unix::fs::symlink("index.redb", world.path("data/index.redb")).unwrap();
    for command in ["fsck", "get photo.jpg", "list"] {
        let ran = world.run(&format!("{command} --data-dir data")).ends(1);
        ran.says(&["The folder cannot be used: data/index.redb cannot be looked at: "]);
    }
    let job = world.run("migrate status --jobs-dir loop --job x").ends(1);
    job.says(&["The job cannot be worked on: loop/x.redb cannot be looked at: "]);
    world.run("storage ls folder: --data-dir loop").ends(1).says(&["loop cannot be looked at: "]);
    // Objects that cannot be seen are not taken for none, over which an index could be made.
    std::fs::remove_file(world.path("data/index.redb")).unwrap();
    std::os::unix::fs::symlink("objects", world.path("data/objects")).unwrap();
    let put = world.run("put photo.jpg --data-dir data").ends(1);
    put.says(&["data/objects cannot be looked at: "]);
    assert!(!world.path("data/index.redb").exists());
}

/// A command takes the rights of others at the key of signed links, as a server does.
#[cfg(unix)]
#[test]
fn a_command_keeps_the_key_of_links_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    drop(Server::start(&world, ""));
    let key = world.path("data/link-key");
    for command in ["list", "fsck"] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        world.run(&format!("{command} --data-dir data")).ends(0);
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{command}");
    }
}

#[test]
fn a_folder_that_is_a_file_is_named() {
    let world = World::new();
    let serve = world.run("serve --listen 127.0.0.1:0 --data-dir photo.jpg").ends(1);
    serve.says(&["photo.jpg cannot hold the data: ", "(--data-dir)"]);
    world.run("put photo.jpg --data-dir photo.jpg").ends(1).says(&["photo.jpg"]);
}

/// A migration from a folder of records in which a CredLink was made would see the CredLink alone.
#[test]
fn no_credlink_is_made_among_other_files() {
    let world = World::new();
    std::fs::create_dir_all(world.path("old/more")).unwrap();
    world.write("old/b.json", b"{}");
    world.write("old/.hidden", b"");
    for typed in ["put photo.jpg --data-dir old", "serve --listen 127.0.0.1:0 --data-dir old"] {
        let refused = world.run(typed).ends(1);
        refused.says(&["old holds other files, such as `b.json`, and no CredLink", "Nothing is changed"]);
        assert_eq!(std::fs::read_dir(world.path("old")).unwrap().count(), 3, "{typed}");
    }
    std::fs::create_dir_all(world.path("disk/lost+found")).unwrap();
    world.run("put photo.jpg --data-dir disk").ends(0);
    world.run("put photo.jpg --data-dir disk").ends(0);
}

/// A catalogue is of legacy records that a function reads, and in an index at hand.
#[test]
fn what_makes_no_catalogue_is_told_so() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0);
    for (places, says) in [
        ("--from jsonl:old.jsonl --to dir:new", "is a dump"),
        ("--from credlink:http://127.0.0.1:1 --to dir:new", "is the API of a CredLink"),
        ("--from dir:data --to dir:new", "holds the data of a CredLink"),
        ("--from dir:. --to credlink:http://127.0.0.1:1", "not over an API"),
    ] {
        world.run(&format!("migrate catalogue {places}")).ends(2).says(&[says]);
    }
    assert!(!world.path("new").exists());
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

/// Answers every request with 404 and a document that is not CredLink's. Gives what stands before its paths.
fn gateway() -> String {
    answering(|_| {
        let body = r#"{"message":"Not Found"}"#;
        format!("404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\r\n{body}")
    })
}

/// Answers every request with what `answer` makes of its first line: a status, headers and a body.
fn answering(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 4_096];
            let read = connection.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let answer = answer(request.lines().next().unwrap_or_default());
            let (status, rest) = answer.split_once("\r\n").unwrap();
            let (headers, body) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
            let body = if request.starts_with("HEAD") { "" } else { body };
            // A client that goes away is not answered.
            let _ = write!(connection, "HTTP/1.1 {status}\r\n{headers}\r\nconnection: close\r\n\r\n{body}");
        }
    });
    url
}

#[test]
fn a_404_that_is_not_credlinks_is_no_absence() {
    let world = World::new();
    let server = Server::start(&world, "");
    let commands = [
        "get photo.jpg",
        "verify photo.jpg",
        "delete photo.jpg",
        "withdraw urn:c2pa:x",
        "front urn:c2pa:x",
        "list",
        "stats",
        "put photo.jpg",
        "get urn:c2pa:x",
    ];
    for command in commands {
        let ran = world.run(&format!("{command} --url {}", gateway())).ends(1);
        ran.says(&["The answer is not CredLink's: 404 Not Found", "is --url its address?"]);
        let ran = world.run(&format!("{command} {}/v1", server.address())).ends(1);
        ran.says(&["credlink: There is no such path; GET ", "--url is the address without /v1"]);
    }
}

/// What answers everything with success has done nothing.
#[test]
fn a_success_that_is_not_credlinks_is_none() {
    let world = World::new();
    let page = "200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>";
    for (answer, status) in [
        (page, "200 OK"),
        ("200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}", "200 OK"),
        ("204 No Content\r\nserver: portal\r\n\r\n", "204 No Content"),
    ] {
        for command in [
            "get photo.jpg",
            "get urn:c2pa:x",
            "verify photo.jpg",
            "delete ym32rzlpvukwoewqzin4wsrs3w55fqze",
            "withdraw urn:c2pa:x",
            "front urn:c2pa:x --free",
            "put photo.jpg",
        ] {
            let ran =
                world.run(&format!("{command} --url {}", answering(move |_| answer.to_owned()))).ends(1);
            let said = format!("The answer is not CredLink's: {status}, and not as CredLink answers");
            ran.says(&[&said, "is --url its address?"]);
        }
    }
}

/// A change is made where it was asked for, or not at all: behind a redirect it would become a GET. The token stays here.
#[test]
fn a_redirect_makes_no_change_and_gets_no_token() {
    let world = World::new();
    let server = Server::start(&world, "");
    let behind = server.address().replace("--url ", "");
    world.run(&format!("put photo.jpg {}", server.address())).ends(0);
    for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect"] {
        let behind = behind.clone();
        let front = answering(move |asked| {
            let path = asked.split(' ').nth(1).unwrap_or("/");
            format!("{status}\r\nlocation: {behind}{path}\r\ncontent-length: 0\r\n\r\n")
        });
        world.run(&format!("get photo.jpg --url {front}")).ends(0);
        let ran = world.run(&format!("delete photo.jpg --url {front}")).ends(1);
        ran.says(&[&format!("{status}: it leads to http://127.0.0.1"), "name the address there with --url"]);
        world.run(&format!("put photo.jpg --url {front}")).ends(1).says(&["it leads to"]);
    }
    world.run(&format!("get photo.jpg {}", server.address())).ends(0);
    let (told, seen) = std::sync::mpsc::channel();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let location = format!("http://{}/v1/proofs/x", elsewhere.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut connection, _) = elsewhere.accept().unwrap();
        let mut request = [0; 4_096];
        let read = connection.read(&mut request).unwrap();
        told.send(String::from_utf8_lossy(&request[..read]).into_owned()).unwrap();
    });
    let front = answering(move |_| format!("302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"));
    world.run(&format!("get photo.jpg --url {front} --token secret")).ends(1);
    let asked = seen.recv_timeout(std::time::Duration::from_secs(10)).unwrap().to_lowercase();
    assert!(asked.starts_with("get /v1/proofs/x") && !asked.contains("authorization"), "{asked}");
}

#[test]
fn what_was_reached_is_told() {
    let world = World::new();
    let server = Server::start(&world, "");
    let tls = server.address().replace("http://", "https://");
    world
        .run(&format!("get photo.jpg {tls}"))
        .ends(1)
        .says(&["speaks HTTP without TLS: name it as http://127.0.0.1:"]);
}

#[test]
fn a_wrong_manifest_is_named_by_its_file() {
    let world = World::new();
    world.write("bom.json", b"\xef\xbb\xbf{}");
    world.write("photo.jpg.c2pa", b"\0\0\0\x08jumb");
    for (typed, code, says) in [
        ("photo.jpg --manifest bom.json", 1, "bom.json: it begins with a byte order mark"),
        (
            "photo.jpg --manifest photo.jpg",
            1,
            "photo.jpg: this is a file of type image/jpeg, and no manifest",
        ),
        ("photo.jpg", 1, "photo.jpg.c2pa: the JUMBF boxes are damaged at byte 0"),
        (
            "photo.jpg.c2pa",
            2,
            "photo.jpg.c2pa is a manifest: name its picture or video, with --manifest photo.jpg.c2pa",
        ),
    ] {
        let put = world.run(&format!("put {typed} --data-dir data")).ends(code).says(&[says]);
        assert!(!put.report().contains("manifest_base64"), "{}", put.report());
    }
}

/// A pipe that nobody writes into is not waited for.
#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_file_is_damage() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0);
    let object =
        std::fs::read_dir(world.path("data/objects/proofs")).unwrap().next().unwrap().unwrap().path();
    let object = std::fs::read_dir(object).unwrap().next().unwrap().unwrap().path();
    let replace = |path: &std::path::Path| {
        std::fs::remove_file(path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    replace(&object);
    world.run("fsck --data-dir data").ends(6).says(&["BROKEN", "its header has no end"]);
    world.run("get photo.jpg --data-dir data").ends(1).says(&["damaged"]);
    std::fs::write(world.path("data/deployment.json"), "").unwrap();
    replace(&world.path("data/deployment.json"));
    world.run("stats --data-dir data").ends(1).says(&["deployment.json", "it is not a regular file"]);
}

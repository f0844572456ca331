//! `credlink files` against a real server: what is put can be read, listed, arranged, linked and deleted; what is not a
//! file, or is rejected, is told of each.
//!
//! `interrupted` has what breaks off, and goes on.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::relay::{Act, Relay};
use crate::world::{Ran, Server, World};

const JPEG: &[u8] = include_bytes!("../../../tests/pictures/waves.jpg");
const PNG: &[u8] = include_bytes!("../../../tests/pictures/waves.png");
const WEBP: &[u8] = include_bytes!("../../../tests/pictures/waves.webp");

/// A world with three pictures, and a server.
fn world() -> (World, Server) {
    let world = World::new();
    world.write("a.jpg", JPEG);
    world.write("b.png", PNG);
    world.write("c.webp", WEBP);
    let server = Server::start(&world, "");
    (world, server)
}

/// The JSON lines that a command printed.
fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Puts files, and returns their IDs in the order in which they were told.
fn put(world: &World, typed: &str) -> Vec<String> {
    let ran = world.run(&format!("files put --json {typed}")).ends(0);
    lines(&ran).iter().map(|file| file["id"].as_str().unwrap().to_owned()).collect()
}

/// The IDs in a list.
fn listed(world: &World, place: &str, server: &Server) -> Vec<String> {
    let (entity, collection) = place.rsplit_once('/').unwrap();
    let typed = format!("files list --json --entity {entity} --collection {collection} {}", server.address());
    lines(&world.run(&typed).ends(0)).iter().map(|file| file["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_picture_is_put_and_read_and_deleted() {
    let (world, server) = world();
    let url = server.address();
    let typed = format!("files put a.jpg --collection item-photo --entity item/4711 {url}");
    let ran =
        world.run(&typed).ends(0).says(&["a.jpg: ready", "image/jpeg", "item/4711", "everybody (public)"]);
    assert!(ran.stderr().is_empty(), "{}", ran.report());
    let id = ran.stdout().lines().find_map(|line| line.strip_prefix("  id         ")).unwrap().to_owned();
    assert!(ran.stdout().contains(&format!("/media/{id}/thumbnail")), "{}", ran.report());
    let record = world.run(&format!("files show {id} --json {url}")).ends(0).json();
    assert_eq!((&record["filename"], &record["type"]), (&json!("a.jpg"), &json!("image/jpeg")));
    world.run(&format!("files show {id} {url}")).ends(0).says(&[&id, "a.jpg", "thumbnail", "original"]);
    world
        .run(&format!("files list --entity item/4711 --collection item-photo {url}"))
        .ends(0)
        .says(&["ID  ", &id, "a.jpg"]);

    world.run(&format!("files get {id} -o copy.jpg {url}")).ends(0).says(&["copy.jpg: ", "image/jpeg"]);
    assert_eq!(fs::read(world.path("copy.jpg")).unwrap(), JPEG);
    world.run(&format!("files get {id} -o copy.jpg {url}")).ends(2).says(&["--force"]);
    world
        .run(&format!("files get {id} thumbnail.webp --force -o copy.jpg {url}"))
        .ends(0)
        .says(&["image/webp"]);
    assert_eq!(&fs::read(world.path("copy.jpg")).unwrap()[8..12], b"WEBP");
    let printed = world.command(&format!("files get {id} medium {url}")).output().unwrap();
    assert!(printed.status.success() && printed.stdout.starts_with(b"\xff\xd8"), "{}", printed.status);
    world.run(&format!("files get {id} huge {url}")).ends(3).says(&["huge"]);
    world.run(&format!("files get {id} huge -o none {url}")).ends(3);
    assert!(!world.path("none").exists());

    let link = world.run(&format!("files link {id} large.jpg --expires-in 15m --json {url}")).ends(0).json();
    assert!(link["url"].as_str().unwrap().contains("signature="), "{link}");
    world.run(&format!("files link {id} --download {url}")).ends(0).says(&["download=true", "until "]);

    world.run(&format!("files delete {id} {url}")).ends(0).says(&["deleted"]);
    world.run(&format!("files delete {id} {url}")).ends(0);
    world.run(&format!("files show {id} {url}")).ends(3).says(&["This was deleted"]);
    let never = "a".repeat(32);
    world.run(&format!("files delete {never} {url}")).ends(3).says(&["no file has the id"]);
    world
        .run(&format!("files delete {id} {never} {url}"))
        .ends(1)
        .says(&[&id, "1 of 2 files were not deleted"]);
    world
        .run(&format!("files list --entity item/4711 --collection item-photo {url}"))
        .ends(0)
        .says(&["there are no such files"]);
}

#[test]
fn files_of_a_list_come_in_the_order_in_which_they_are_named() {
    let (world, server) = world();
    let url = server.address();
    let place = "item/1/item-photo";
    let ids = put(&world, &format!("a.jpg b.png c.webp --collection item-photo --entity item/1 {url}"));
    assert_eq!(listed(&world, place, &server), ids);
    // One that is rejected takes no place.
    world.write("cut.jpg", &JPEG[..JPEG.len() / 2]);
    let more = format!(
        "files put --json cut.jpg c.webp a.jpg --collection item-photo --entity item/1 --position 1 {url}"
    );
    let more: Vec<String> =
        lines(&world.run(&more).ends(1)).iter().map(|file| file["id"].as_str().unwrap().to_owned()).collect();
    let [a, b, c] = &ids[..] else { panic!("three files") };
    let [d, e] = &more[..] else { panic!("two files") };
    assert_eq!(listed(&world, place, &server), [a, d, e, b, c].map(Clone::clone));

    world
        .run(&format!("files order item/1 item-photo {c} {e} {url}"))
        .ends(0)
        .says(&["item/1/item-photo: 5 files"]);
    assert_eq!(listed(&world, place, &server), [c, e, a, d, b].map(Clone::clone));
    world.run(&format!("files detach item/1 item-photo {e} {url}")).ends(0);
    assert_eq!(listed(&world, place, &server), [c, a, d, b].map(Clone::clone));
    world.run(&format!("files attach item/1 item-photo {e} --position 0 {url}")).ends(0);
    world.run(&format!("files detach item/1 item-photo {d} {url}")).ends(0);
    world.run(&format!("files replace item/1 item-photo {a} {d} {url}")).ends(0);
    assert_eq!(listed(&world, place, &server), [e, c, d, b].map(Clone::clone));
    world.run(&format!("files order item/1 item-photo {a} {url}")).ends(2).says(&[a, "files attach"]);
    world.run(&format!("files detach item/1 item-photo {a} {url}")).ends(1).says(&["is not in the list"]);
    assert_eq!(listed(&world, place, &server), [e, c, d, b].map(Clone::clone));
}

#[test]
fn what_cannot_be_sent_is_told_of_each_file_and_the_others_are_sent() {
    let (world, server) = world();
    let url = server.address();
    world.write("empty.jpg", b"");
    world.write("notes.xyz", b"of no type that is known");
    world.write("cut.jpg", &JPEG[..JPEG.len() / 2]);
    world.write("paper.pdf", b"%PDF-1.7\n");
    fs::create_dir(world.path("folder")).unwrap();
    let mut files = "folder empty.jpg notes.xyz cut.jpg paper.pdf missing.jpg".to_owned();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("loop.jpg", world.path("loop.jpg")).unwrap();
        files.push_str(" loop.jpg");
    }
    let ran = world.run(&format!("files put {files} a.jpg --collection item-photo {url}")).ends(1);
    for said in [
        "folder cannot be read: it is a folder; name the files in it",
        "empty.jpg cannot be sent: it is empty",
        "notes.xyz cannot be sent: its type is not known; --type names it: `image/jpeg`",
        "cut.jpg: The file was rejected: the file is cut off",
        "(truncated)",
        "paper.pdf: This content is not accepted here",
        "accepts `image/jpeg`, `image/png`, `image/webp` or `image/gif`, not `application/pdf`",
        "missing.jpg cannot be read",
        "of 8 files failed",
    ] {
        assert!(ran.stderr().contains(said) || cfg!(not(unix)), "`{said}` is not in: {}", ran.report());
    }
    assert!(ran.stdout().starts_with("a.jpg: ready\n"), "{}", ran.report());

    let ran = world.run(&format!("files put cut.jpg a.jpg --json --collection item-photo {url}")).ends(1);
    assert_eq!(lines(&ran)[0]["file"], "a.jpg");
    let problem: Value = serde_json::from_str(ran.stderr().lines().next().unwrap()).unwrap();
    assert_eq!((&problem["file"], &problem["reason"]), (&json!("cut.jpg"), &json!("truncated")));
    assert_eq!(problem["type"], "urn:credlink:problem:cli:rejected");
    // The same reason for one file alone, and for an upload that nobody waited for.
    world.run(&format!("files put cut.jpg --collection item-photo {url}")).ends(1).says(&["(truncated)"]);
    let sent = world
        .run(&format!("files put cut.jpg --no-wait --json --collection item-photo {url}"))
        .ends(0)
        .json();
    let upload = sent["upload"].as_str().unwrap();
    let rejected = || world.run(&format!("files status {upload} {url}"));
    let began = std::time::Instant::now();
    while rejected().code() != 1 && began.elapsed().as_secs() < 30 {}
    rejected().ends(1).says(&["rejected", "(truncated)"]);
}

#[test]
fn a_mistake_that_all_files_share_is_told_once() {
    let world = World::new();
    world.write("a.jpg", JPEG);
    let token = "0123456789abcdef";
    let sha256 = credlink_core_digest(token);
    let tokens = json!([{"name": "a", "sha256": sha256, "tenant": "default", "scopes": ["media:admin"]}]);
    world.write("tokens.json", tokens.to_string().as_bytes());
    let server = Server::start(&world, " --tokens tokens.json");
    let url = server.address();
    let several = "a.jpg photo.jpg a.jpg photo.jpg a.jpg";
    for (more, code, said) in [
        ("--collection item-photo", 1, "give one with --token"),
        ("--collection item-photo --token wrong", 1, "A valid credential is needed"),
        (
            "--collection nothing --token 0123456789abcdef",
            1,
            "there is no collection `nothing`; there are `item-photo`",
        ),
        (
            "--collection verification-document --access public --token 0123456789abcdef",
            1,
            "at most `private`",
        ),
    ] {
        let ran =
            world.run(&format!("files put {several} --concurrency 1 {more} {url}")).ends(code).says(&[said]);
        assert_eq!(ran.stderr().matches(said).count(), 1, "{}", ran.report());
        ran.says(&["4 not tried, because they would fail in the same way"]);
    }
    world.run(&format!("files put a.jpg --collection item-photo --token {token} {url}")).ends(0);
    // A misspelt collection is told in the same words by every command that takes one.
    for typed in [
        "files list --collection nothing",
        "files list --entity item/1 --collection nothing",
        "files order item/1 nothing a4dqobyha4dqobyha4dqobyha4dqobyh",
        "files attach item/1 nothing a4dqobyha4dqobyha4dqobyha4dqobyh",
        "files regenerate --collection nothing",
    ] {
        let ran = world.run(&format!("{typed} --token {token} {url}")).ends(3);
        ran.says(&["there is no collection `nothing`; there are `item-photo`, `profile-photo`, `temp`"]);
    }
    // Nothing answers, and nobody waits for it.
    let began = std::time::Instant::now();
    world
        .run("files put a.jpg --collection item-photo --url http://127.0.0.1:9")
        .ends(1)
        .says(&["nothing answers at http://127.0.0.1:9", "or name another one with --url"]);
    assert!(began.elapsed().as_secs() < 10);
}

/// SHA-256 in hexadecimal digits.
fn credlink_core_digest(text: &str) -> String {
    credlink_core::hash::Digest::of(text.as_bytes()).to_string()
}

#[test]
fn what_comes_through_a_pipe_is_put_as_well() {
    let (world, server) = world();
    let typed = format!("files put - --json --collection item-photo {}", server.address());
    let sent = world.fed(&typed, JPEG).ends(0).json();
    assert_eq!((&sent["state"], &sent["record"]["bytes"]), (&json!("ready"), &json!(JPEG.len())));
    assert_eq!(sent["record"]["filename"], Value::Null);
    let none = world.fed(&typed.replace(" --json", ""), b"").ends(1);
    none.says(&["standard input cannot be sent: it is empty"]);
}

#[test]
fn an_owner_who_announces_too_often_waits() {
    let world = World::new();
    let names: Vec<String> = (0..7).map(|number| format!("{number}.pdf")).collect();
    for name in &names {
        world.write(name, format!("%PDF-1.7\n{name}").as_bytes());
    }
    let server = Server::of(&world, "", &[("CREDLINK_UPLOADS_PER_MINUTE", PathBuf::from("6"))]);
    let ran =
        world.run(&format!("files put {} --collection temp {}", names.join(" "), server.address())).ends(0);
    assert_eq!(ran.stdout().matches(": ready\n").count(), 7, "{}", ran.report());
    ran.says(&[
        "at most 6 uploads without an owner may be announced at once, and one more every 10 s",
        "trying again in ",
    ]);
}

#[test]
fn pictures_are_rendered_again_after_a_profile_was_changed() {
    let world = World::new();
    world.write("a.jpg", JPEG);
    world.write("b.png", PNG);
    let rules = |version: u32, width: u32| {
        let rendition = |name: &str, version, width| {
            json!({"name": name, "version": version, "fit": "inside", "width": width, "height": width,
                   "formats": [{"format": "jpg", "quality": 80}]})
        };
        let renditions = [rendition("card", version, width), rendition("small", 1, 20)];
        let cover = json!({"version": version, "types": ["image/jpeg", "image/png"], "max_bytes": 10_000_000,
            "access": "public", "renditions": renditions, "metadata": {"published": "strip"}, "provenance": "bind"});
        json!({"version": 1, "collections": {"cover": cover}}).to_string()
    };
    let variables = [("CREDLINK_COLLECTIONS", world.path("collections.json"))];
    world.write("collections.json", rules(1, 40).as_bytes());
    let server = Server::of(&world, "", &variables);
    let ids = put(&world, &format!("a.jpg b.png --collection cover --concurrency 1 {}", server.address()));
    drop(server);
    world.write("collections.json", rules(2, 30).as_bytes());
    let server = Server::of(&world, "", &variables);
    let url = server.address();
    let names = |id: &str| {
        let record = world.run(&format!("files show {id} --json {url}")).ends(0).json();
        let renditions = record["renditions"].as_array().unwrap().iter();
        let names: Vec<String> = renditions.map(|made| made["name"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), record["collection"]["version"].as_u64().unwrap())
    };
    let [a, b] = &ids[..] else { panic!("two files") };
    assert_eq!(names(a), ("card-1.jpg small-1.jpg".to_owned(), 1));
    world
        .run(&format!("files regenerate {a} --only-missing --profile small {url}"))
        .ends(0)
        .says(&["1 file: 0 with new renditions, 1 as before"]);
    world
        .run(&format!("files regenerate {a} --only-missing --profile card {url}"))
        .ends(0)
        .says(&["1 file: 1 with new renditions, 0 as before"]);
    assert_eq!(names(a), ("card-2.jpg small-1.jpg".to_owned(), 2));
    let typed = format!("files regenerate {a} {b} --only-missing --json {url}");
    let sum = world.run(&typed).ends(0).json();
    assert_eq!((&sum["changed"], &sum["unchanged"]), (&json!(1), &json!(1)), "{sum}");
    assert_eq!(names(b), ("card-2.jpg small-1.jpg".to_owned(), 2));
    assert_eq!(world.run(&typed).ends(0).json()["unchanged"], 2);
    let never = "a".repeat(32);
    let failed = world.run(&format!("files regenerate {never} {b} --profile huge {url}")).ends(1);
    failed.says(&["no file has the id", "has no profile `huge`; it has `card`, `small`", "2 failed"]);
    // What is served is what the record says.
    world.run(&format!("files get {a} card.jpg -o card.jpg {url}")).ends(0);
    let served = fs::read(world.path("card.jpg")).unwrap();
    let frame = served.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a baseline JPEG");
    assert_eq!(u16::from_be_bytes([served[frame + 7], served[frame + 8]]), 30, "its width");
}

/// A file whose content changes between two looks at it is not stored as either.
#[test]
fn a_file_that_changes_while_it_is_sent_is_not_stored() {
    let world = World::new();
    let relay = Relay::start();
    let server = Server::start(&world, &format!(" --public-url {}", relay.url()));
    relay.leads_to(server.url());
    let typed = format!("files put a.jpg --collection item-photo --url {}", relay.url());
    let path = world.path("a.jpg");
    // It is replaced after it was announced.
    world.write("a.jpg", JPEG);
    let replaced = path.clone();
    relay.decides(move |first| {
        if first.starts_with("POST /v1/uploads ") {
            fs::write(&replaced, PNG).unwrap();
        }
        Act::Pass
    });
    world.run(&typed).ends(1).says(&["a.jpg was changed while it was sent; nothing was stored"]);
    assert!(relay.requests("PUT ").is_empty(), "no byte was sent");
    assert_eq!(relay.requests("DELETE /v1/uploads/").len(), 1, "the upload was ended");
    // Its time and its length stay, and its content does not.
    world.write("a.jpg", JPEG);
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let replaced = path.clone();
    relay.decides(move |first| {
        if first.starts_with("POST /v1/uploads ") {
            let mut other = JPEG.to_owned();
            let last = other.len() - 100;
            other[last] ^= 1;
            fs::write(&replaced, other).unwrap();
            fs::File::options().write(true).open(&replaced).unwrap().set_modified(time).unwrap();
        }
        Act::Pass
    });
    world.run(&typed).ends(1).says(&["The file was rejected", "(hash-mismatch)"]);
    // The same command sends what is there now.
    world.write("a.jpg", JPEG);
    relay.passes();
    world.run(&typed).ends(0).says(&["a.jpg: ready"]);
}

/// The client may be gone, so the log says why there is no file.
#[test]
fn the_log_says_why_an_upload_has_become_no_file() {
    let world = World::new();
    world.write("text.jpg", b"just text");
    let server = Server::logging(&world, "", "info");
    let put = "files put text.jpg --type image/jpeg --collection item-photo";
    let put = world.run(&format!("{put} {}", server.address()));
    let log = server.log();
    put.ends(1).says(&["it accepts `image/jpeg`, `image/png`, `image/webp` or `image/gif`"]);
    let ended = log.iter().find(|line| line.to_string().contains("an upload ended without a file")).unwrap();
    assert_eq!(
        (&ended["state"], &ended["reason"], &ended["collection"]),
        (&json!("rejected"), &json!("type-not-allowed"), &json!("item-photo"))
    );
}

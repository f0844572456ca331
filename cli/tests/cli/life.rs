//! The operations on a proof, over a folder and over a server, with tokens and without, and the findings of fsck.

use std::path::{Path, PathBuf};

use credlink_embedded::index::EmbeddedIndex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::world::{Ran, Server, World};

/// Performs every operation on one proof, in the same way over a folder and over a server.
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
    assert_eq!(run("get photo.jpg --manifest -o -").ends(0).stdout(), "{ \"title\" : 1.0 }\n");
    // No file is overwritten without --force, and the input file never is.
    run("get photo.jpg -o out.json").ends(2).says(&["out.json is there already: --force replaces it"]);
    assert_eq!(std::fs::read(world.path("out.json")).unwrap(), b"{ \"title\" : 1.0 }\n");
    run("get photo.jpg -o out.json --force").ends(0);
    assert_eq!(
        std::fs::read(world.path("out.json")).unwrap(),
        run("get photo.jpg").ends(0).stdout().into_bytes()
    );
    let photo = std::fs::read(world.path("photo.jpg")).unwrap();
    run("get photo.jpg -o ./photo.jpg --force").ends(2).says(&["the file itself that was asked about"]);
    // This also holds if the input is standard input.
    let typed = "get - -o photo.jpg --force --data-dir data";
    let mut command = world.command(typed);
    command.stdin(std::fs::File::open(world.path("photo.jpg")).unwrap());
    Ran::of(typed, &mut command).ends(2).says(&["the file itself that was asked about"]);
    assert_eq!(std::fs::read(world.path("photo.jpg")).unwrap(), photo);

    run("verify photo.jpg").ends(0).says(&[
        "✓ the file is sha256:",
        "✓ the manifest has the recorded",
        "– a JSON",
    ]);
    run("list").ends(0).says(&["ID ", id, "application/json"]);
    assert_eq!(run("list --json").ends(0).json()["id"], id);
    assert_eq!(run("stats --json").ends(0).json()["proofs"], 1);

    run("delete photo.jpg").ends(0).says(&["deleted"]);
    run(&format!("delete {id}")).ends(0).says(&["it had been deleted before; nothing was left to delete"]);
    run("get photo.jpg").ends(3).says(&["This was deleted"]);
    run("verify photo.jpg").ends(3).says(&["This was deleted"]);
    run("list").ends(0).says(&["there are no proofs"]);
    run("put photo.jpg --expires-in 1h").ends(0).says(&["stored"]);
    run("put photo.jpg --expires-in soon").ends(2).says(&["a number and s, m, h or d"]);
}

#[test]
fn a_life_in_a_folder() {
    let world = World::new();
    a_life(&world, "--data-dir data");
    world.run("fsck --data-dir data").ends(0).says(&["everything is as it has to be"]);
}

/// With the server's variables a command works on the same deployment as the server; without them it changes nothing.
#[cfg(unix)]
#[test]
fn a_command_opens_the_deployment_that_the_server_had() {
    let world = World::new();
    let with = |typed: &str| {
        let output = world.command(typed).env("STORAGE_FOLDER", world.path("disk")).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, said) = with("put photo.jpg --data-dir data");
    assert_eq!(code, Some(0), "{said}");
    assert!(world.path("disk/objects").is_dir() && !world.path("data/objects").exists());
    let mut server = Server::of(&world, "", &[("STORAGE_FOLDER", world.path("disk"))]);
    world.run(&format!("get photo.jpg {}", server.address())).ends(0);
    server.signal();
    assert_eq!(server.wait().code(), Some(0));
    for typed in [
        "put photo.jpg",
        "get photo.jpg",
        "list",
        "stats",
        "delete photo.jpg",
        "verify photo.jpg",
        "fsck",
        "cleanup",
        "rebuild",
    ] {
        world
            .run(&format!("{typed} --data-dir data"))
            .ends(1)
            .says(&["STORAGE_FOLDER", "Nothing is changed"]);
    }
    world.run("migrate run --job a --from dir:data --to dir:other").ends(1).says(&["STORAGE_FOLDER"]);
    // Its objects are not reported as lost either: the note says where they are.
    let serve = world.run("serve --listen 127.0.0.1:0 --data-dir data").ends(1);
    let serve = serve.says(&[
        "data was last used with objects in dir:",
        "(STORAGE_FOLDER); here it would be with objects in the data folder",
    ]);
    assert!(!serve.report().contains("lost"), "{}", serve.report());
    let (code, said) = with("storage ls folder: --data-dir data");
    assert!(code == Some(1) && said.contains("comes before STORAGE_FOLDER: leave it out"), "{said}");
    let (code, said) = with("storage ls folder:");
    assert!(code == Some(0) && said.contains("proofs/"), "{said}");
    let (code, said) = with("delete photo.jpg --data-dir data");
    assert_eq!(code, Some(0), "{said}");
    let server = Server::of(&world, "", &[("STORAGE_FOLDER", world.path("disk"))]);
    world.run(&format!("get photo.jpg {}", server.address())).ends(3).says(&["This was deleted"]);
}

#[cfg(unix)]
#[test]
fn a_life_over_a_server_that_stops_when_it_is_told() {
    let world = World::new();
    let mut server = Server::start(&world, "");
    a_life(&world, &server.address());
    world.run("put photo.jpg --data-dir data").ends(1).says(&["used by another process", "credlink serve"]);
    world.run("fsck --data-dir data").ends(1).says(&["used by another process"]);
    server.signal();
    assert_eq!(server.wait().code(), Some(0));
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
    let server = Server::of(&world, " --tokens tokens.json", &[("CREDLINK_TENANTS", "several".into())]);
    let place = format!("{} --tenant acme", server.address());
    world
        .run(&format!("put photo.jpg --private {place}"))
        .ends(1)
        .says(&["A valid credential is needed", "give one with --token or CREDLINK_TOKEN"]);
    let with_token = format!("{place} --token secret");
    world.run(&format!("put photo.jpg --private {with_token}")).ends(0).says(&["stored"]);
    world.run(&format!("get photo.jpg {place}")).ends(3).says(&["There is nothing here", "request "]);
    world.run(&format!("verify photo.jpg {with_token}")).ends(0).says(&["it is private"]);
    world.run(&format!("get photo.jpg {with_token}")).ends(0).says(&[r#""visibility":"private""#]);
    world.run(&format!("list {with_token}")).ends(1).says(&["this needs the scope `admin`"]);
    world.run(&format!("get photo.jpg --token wrong {place}")).ends(1).says(&["not known here"]);
    world.run(&format!("get photo.jpg --token secret {}", server.address())).ends(3);
}

#[test]
fn damage_is_found_and_leftovers_are_repaired() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0);
    let record = find_file(&world.path("data/objects/proofs"));
    let sound = std::fs::read(&record).unwrap();
    let mut damaged = sound.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&record, damaged).unwrap();
    world.run("fsck --data-dir data").ends(6).says(&["BROKEN", "proofs/"]);
    let lines = world.run("fsck --json --data-dir data").ends(6).stdout();
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");
    std::fs::write(&record, &sound).unwrap();
    world.run("fsck --data-dir data").ends(0);
    // A record without a row, as a crash leaves it: it is intact, and its row is restored.
    world.run("put photo.jpg --data-dir other --tenant acme").ends(0);
    let orphan = find_file(&world.path("other/objects/proofs"));
    let place = world.path("data").join(orphan.strip_prefix(world.path("other")).unwrap());
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::copy(&orphan, &place).unwrap();
    world
        .run("fsck --data-dir data")
        .ends(5)
        .says(&["leftover", "--repair sets right what is left over or behind"]);
    world.run("fsck --repair --data-dir data").ends(0).says(&["repaired: 0 removed", "1 completed"]);
    // Without its index, everything would be an orphan.
    std::fs::remove_file(world.path("data/index.redb")).unwrap();
    for command in ["stats", "put photo.jpg", "get photo.jpg", "fsck --repair"] {
        let said = ["the index was lost", "credlink rebuild --data-dir data"];
        world.run(&format!("{command} --data-dir data")).ends(1).says(&said);
    }
    drop(EmbeddedIndex::open(world.path("data/index.redb")).unwrap());
    world.run("fsck --data-dir data").ends(6).says(&["BROKEN", "The index is a new one", "leftover"]);
    world
        .run("fsck --repair --data-dir data")
        .ends(6)
        .says(&["STOPPED   The index is a new one", "credlink rebuild"]);
    world.run("rebuild --data-dir data").ends(0).says(&["belong together"]);
    world.run("fsck --data-dir data").ends(0);
}

#[test]
fn a_proof_that_has_lost_its_record_is_deleted() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0);
    std::fs::remove_file(find_file(&world.path("data/objects/proofs"))).unwrap();
    world.run("get photo.jpg --data-dir data").ends(3).says(&["There is nothing here"]);
    world.run("put photo.jpg --data-dir other").ends(0);
    std::fs::remove_file(find_file(&world.path("other/objects/proofs"))).unwrap();
    world.run("delete photo.jpg --data-dir other").ends(0).says(&["deleted; its record was lost"]);
    let deleted = world.run("delete photo.jpg --json --data-dir data").ends(0).json();
    assert_eq!((&deleted["deleted"], &deleted["was_there"]), (&true.into(), &false.into()));
    world.run("get photo.jpg --data-dir data").ends(3).says(&["This was deleted"]);
}

fn find_file(folder: &Path) -> PathBuf {
    let entry = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    if entry.is_dir() { find_file(&entry) } else { entry }
}

/// An imported proof is found by its legacy ID.
#[test]
fn a_legacy_id_leads_to_its_proof() {
    let world = World::new();
    std::fs::create_dir(world.path("old")).unwrap();
    let hash = "a".repeat(64);
    let record = format!(
        r#"{{"proofId":"p-1","imageHash":"{hash}","manifest":{{"n":1}},"signature":"c2ln","timestamp":1767225600000}}"#
    );
    world.write("old/p-1.json", record.as_bytes());
    world.run("migrate run --from dir:old --to dir:data --job all").ends(0).says(&["1 copied in"]);
    let direct = world.run("get p-1 --data-dir data").ends(0);
    assert!(direct.stdout().contains(&hash), "{}", direct.stdout());
    world.run("get p-1 --manifest --data-dir data").ends(0).says(&[r#"{"n":1}"#]);
    let neither = "there is no file `p-2` here and no proof with the legacy id `p-2` on the server";
    world.run("get p-2 --data-dir data").ends(3).says(&["There is no such proof", neither]);
    // If a file of that name exists, the file is meant.
    world.write("p-1", b"another");
    world.run("get p-1 --data-dir data").ends(3);
    std::fs::remove_file(world.path("p-1")).unwrap();
    let server = Server::start(&world, "");
    let over_http = world.run(&format!("get p-1 {}", server.address())).ends(0);
    assert_eq!(over_http.stdout(), direct.stdout());
    world.run(&format!("get p-2 {}", server.address())).ends(3).says(&[neither]);
}

/// A proof keeps the visibility with which it was first stored, and the output says so.
#[test]
fn a_proof_that_is_there_keeps_its_readers() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0).says(&["readers   everybody (public)"]);
    let again = world.run("put photo.jpg --private --tag a=b --data-dir data").ends(3);
    again.says(&["readers   everybody (public)", "everybody can read it", "keeps its tags and its time"]);
    world
        .run("put photo.jpg --tag a=b --tag a=c --data-dir data")
        .ends(2)
        .says(&["the tag `a` is there twice"]);
    world.write("other.jpg", b"\xff\xd8\xff\xe0 another");
    let private = "put other.jpg --manifest photo.jpg.json --private --data-dir data";
    world.run(private).ends(0).says(&["(private)"]);
    world.run(private).ends(0);
}

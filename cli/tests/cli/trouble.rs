//! What a command says when it cannot do its work.

use serde_json::Value;

use crate::world::World;

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
    world.run("fsck --url http://a").ends(2).says(&["deployment itself"]);
    world.run("fly").ends(2);
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

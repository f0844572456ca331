//! `storage` over a folder. The suite of the workspace tests it over buckets, since it has the engines for them.

use crate::world::World;

/// A world with one proof, and the key of its record.
fn world() -> (World, String) {
    let world = World::new();
    let id = world.run("put photo.jpg --json --data-dir data").ends(0).json()["id"].clone();
    (world, format!("proofs/{}", id.as_str().unwrap()))
}

#[test]
fn a_folder_is_looked_at() {
    let (world, record) = world();
    world.run("storage ls folder: --data-dir data").ends(0).says(&["  proofs/\n"]);
    let listed = world.run("storage ls -r folder:proofs/ --json --data-dir data").ends(0).json();
    assert_eq!(listed["key"], record.as_str());
    let stat = world.run(&format!("storage stat folder:{record} --json --data-dir data")).ends(0).json();
    assert_eq!(stat["attributes"]["content_type"], "application/json");
    let size = stat["size"].as_u64().unwrap();
    let words = world.run(&format!("storage stat folder:{record} --data-dir data")).ends(0);
    words.says(&[
        "  type      application/json",
        "metadata  tenant: default",
        &format!("  size      {size}"),
    ]);
    // The bytes as stored, in gzip (RFC 1952, section 2.3).
    let cat = format!("storage cat folder:{record} --range 0-9 --data-dir data");
    let start = world.command(&cat).output().unwrap().stdout;
    assert!(start.len() == 10 && start.starts_with(b"\x1f\x8b"), "{start:?}");
    let stats = world.run("storage stats folder:proofs/ --json --data-dir data").ends(0).json();
    assert_eq!(stats["objects"], 1);
    world.run("storage health folder --data-dir data").ends(0).says(&["folder answers"]);
}

#[test]
fn objects_are_copied_moved_and_deleted() {
    let (world, record) = world();
    let at = |command: &str| world.run(&format!("storage {command} --data-dir data"));
    let copy = format!("{record}/7");
    at(&format!("cp folder:{record} folder:{copy}")).ends(0).says(&["copied to"]);
    let cat = |key: &str| at(&format!("cat folder:{key}")).ends(0).stdout();
    assert_eq!(cat(&copy), cat(&record));
    let moved = format!("{record}/8");
    at(&format!("mv folder:{copy} folder:{moved}")).ends(0).says(&["moved to"]);
    // One folder under two names: an object that is moved onto itself is still there.
    let typed = format!("storage mv primary:{moved} folder:{moved} --data-dir data");
    let mut command = world.command(&typed);
    command.env("STORAGE_PROVIDER", "folder").env("STORAGE_FOLDER", "data");
    assert!(command.output().unwrap().status.success());
    assert_eq!(cat(&moved), cat(&record));
    at(&format!("stat folder:{copy}")).ends(3).says(&["There is no such object"]);
    at(&format!("cp folder:{copy} folder:{moved}")).ends(3);
    world.write("new.json", b"{\"new\":1}");
    at(&format!("put new.json folder:{moved} --content-type application/json")).ends(0).says(&["9 bytes"]);
    assert_eq!(cat(&moved), "{\"new\":1}");
    // A truncated file cannot be described, and yet must be deletable.
    let cut = find(world.path("data/objects"), b"{\"new\":1}").expect("it is there");
    std::fs::write(&cut, &std::fs::read(&cut).unwrap()[..100]).unwrap();
    at(&format!("stat folder:{moved}")).ends(1);
    at(&format!("rm folder:{moved}")).ends(0).says(&["1 deleted"]);
    at("rm -r folder:proofs/").ends(2).says(&["deletes everything at folder:proofs/*", "--yes"]);
    at(&format!("stat folder:{record}")).ends(0);
    at("rm -r folder:proofs/ --yes").ends(0).says(&["1 deleted"]);
    at(&format!("stat folder:{record}")).ends(3);
}

#[test]
fn trouble_says_what_to_do() {
    let (world, record) = world();
    for (command, code, said) in [
        ("stat folder:../../etc/passwd --data-dir data", 1, "CredLink's own objects only"),
        ("rm folder:x --data-dir data", 1, "x was not deleted: "),
        ("rm folder:x --data-dir data", 1, "fronts/…"),
        (
            "stat folder:proofs/nosuch --data-dir data",
            1,
            "proofs/{id}, where the id has 32 characters of a-z and 2-7",
        ),
        ("sign folder:proofs/x --data-dir data", 2, "no signed URLs"),
        ("ls folder:", 2, "STORAGE_FOLDER is not set"),
        ("health folder", 2, "--data-dir names it here"),
        ("stat folder:manifests/urn:c2pa:x --data-dir data", 1, "with %3A for a colon"),
        ("ls folder: --data-dir nothing", 1, "nothing is no folder"),
        ("ls ftp:x", 2, "the provider is `ftp`; allowed is s3, r2 or folder; primary or fallback means"),
        ("ls primary:x", 2, "STORAGE_FOLDER is not set"),
        ("ls fallback:x", 2, "STORAGE_FALLBACK_PROVIDER is not set"),
        ("ls proofs/", 2, "PROVIDER:KEY"),
        ("ls s3: --url http://a", 2, "no --url"),
        ("cp -r folder:proofs/ folder:proofs/x --data-dir data", 2, "copied again"),
        ("sign s3:x --expires-in 8d", 2, "seven days"),
    ] {
        let ran = world.command(&format!("storage {command}")).output().unwrap();
        let text = String::from_utf8_lossy(&ran.stderr).into_owned() + &String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.code() == Some(code) && text.contains(said), "{command}: {:?} {text}", ran.status);
    }
    let beyond = format!("storage cat folder:{record} --range 1000000- --data-dir data");
    world.run(&beyond).ends(1).says(&["lies outside"]);
    let missing = world.run("storage stat folder:proofs/x --json --data-dir data").ends(1).stderr();
    assert!(missing.contains("urn:credlink:problem:cli:provider"), "{missing}");
}

/// The file somewhere in a folder that ends with this content.
fn find(folder: std::path::PathBuf, content: &[u8]) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(path, content)
        } else {
            Some(path).filter(|path| std::fs::read(path).unwrap().ends_with(content))
        }
    })
}

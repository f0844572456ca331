//! The messages of a command that cannot do its work.

use serde_json::Value;

use crate::world::{Ran, Server, World};

#[test]
fn trouble_says_what_to_do() {
    let world = World::new();
    // Port 1 is reserved, and nothing listens on it.
    let nobody = "--url http://127.0.0.1:1";
    world.run(&format!("get photo.jpg {nobody}")).ends(1).says(&[
        "nothing answers",
        "credlink serve",
        "--data-dir",
    ]);
    world.run("get photo.jpg --data-dir nothing").ends(1).says(&["nothing holds no CredLink"]);
    assert!(!world.path("nothing").exists());
    let no_such_file = "and it is not a proof id or SHA-256 either";
    world.run(&format!("delete xyz {nobody}")).ends(1).says(&["xyz cannot be read", no_such_file]);
    let asked = "there is no file `xyz` here, so it was looked up as a legacy id";
    world.run(&format!("get xyz {nobody}")).ends(1).says(&["nothing answers", asked]);
    let other = "and it is not a proof id, manifest id or SHA-256 either";
    world.run(&format!("withdraw xyz {nobody}")).ends(1).says(&["xyz cannot be read", other]);
    world.write("notes.txt", b"no picture");
    let put = world.run("put notes.txt --data-dir data").ends(1);
    put.says(&[
        "No manifest was found: tried notes.txt (its type is not known; name it with --media-type)",
        "notes.c2pa",
        "notes.txt.json",
    ]);
    world.write("broken.json", b"{");
    let put = world.run("put notes.txt --manifest broken.json --data-dir data").ends(1);
    put.says(&["The manifest cannot be read: broken.json: ", "nor a JSON one: this is not JSON: EOF"]);
    world.run("put nothing.jpg --data-dir data").ends(1).says(&["nothing.jpg cannot be read"]);
    world.run("put photo.jpg --data-dir data").ends(0);
    let missing = world.run("delete notes.txt --data-dir data").ends(3);
    missing.says(&["there is no such proof", "the one of the tenant `default` was looked for (--tenant)"]);
    world.run("delete urn:c2pa:x --data-dir data").ends(2).says(&[
        "only a proof can be deleted here",
        "DELETE /v1/manifests/urn:c2pa:x",
        "`credlink withdraw`",
    ]);
    world.run("get sha256:abc --data-dir data").ends(2).says(&["64 hexadecimal digits"]);
    let neither = world.run("get p-zz --data-dir data").ends(3);
    neither.says(&[
        "There is no such proof: there is no file `p-zz` here and no proof with the legacy id `p-zz`",
    ]);
    world
        .run("get no/such --data-dir data")
        .ends(1)
        .says(&["no/such cannot be read", "it is not a proof id, manifest id"]);
    for url in ["nonsense", "http://a?x=1"] {
        world
            .run(&format!("get photo.jpg --url {url}"))
            .ends(2)
            .says(&["--url is an address", "without a query"]);
    }
    world.run("get photo.jpg --url http://a --data-dir b").ends(2).says(&["not both"]);
    world.run("fsck --url http://a").ends(2).says(&["deployment itself"]);
    world.run("fly").ends(2);
}

/// A path that the file system does not let anyone inspect is not reported as absent. A link to itself is such a path
/// even for root.
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
    // The note can be read, but the index cannot be inspected.
    std::fs::create_dir(world.path("data")).unwrap();
    std::os::unix::fs::symlink("index.redb", world.path("data/index.redb")).unwrap();
    for command in ["fsck", "get photo.jpg", "list"] {
        let ran = world.run(&format!("{command} --data-dir data")).ends(1);
        ran.says(&["The folder cannot be used: data/index.redb cannot be looked at: "]);
    }
    let job = world.run("migrate status --jobs-dir loop --job x").ends(1);
    job.says(&["The job cannot be worked on: loop/x.redb cannot be looked at: "]);
    world.run("storage ls folder: --data-dir loop").ends(1).says(&["loop cannot be looked at: "]);
    // Objects that cannot be seen are not taken for absent, since an index could then be created over them.
    std::fs::remove_file(world.path("data/index.redb")).unwrap();
    std::os::unix::fs::symlink("objects", world.path("data/objects")).unwrap();
    let put = world.run("put photo.jpg --data-dir data").ends(1);
    put.says(&["data/objects cannot be looked at: "]);
    assert!(!world.path("data/index.redb").exists());
}

/// A command removes the rights of other users to the key of signed links, as a server does.
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

/// A migration from a folder of records in which a CredLink was created would see only the CredLink.
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
    // No objects are stored there either, and a command that only reads creates and removes nothing.
    std::fs::create_dir_all(world.path("old/temporary")).unwrap();
    world.write("old/temporary/20240101", b"a diary");
    world.write("old/temporary/credlink-1.part", b"somebody else's");
    for typed in [
        "storage ls folder: --data-dir old",
        "storage put photo.jpg folder:store/identity --data-dir old",
        "storage rm -r folder: --yes --data-dir old",
        "fsck --data-dir old",
        "cleanup --data-dir old",
        "rebuild --data-dir old",
    ] {
        world.run(typed).ends(1);
    }
    let put = Ran::of(
        "put",
        world.command("put photo.jpg --data-dir data").env("STORAGE_FOLDER", world.path("old")),
    );
    put.ends(1).says(&["old holds other files, such as `b.json`"]);
    assert_eq!(std::fs::read_dir(world.path("old")).unwrap().count(), 4);
    assert_eq!(std::fs::read_dir(world.path("old/temporary")).unwrap().count(), 2);
    std::fs::create_dir_all(world.path("empty")).unwrap();
    world.run("storage ls folder: --data-dir empty").ends(1).says(&["empty holds no objects of a CredLink"]);
    assert_eq!(std::fs::read_dir(world.path("empty")).unwrap().count(), 0);
    std::fs::create_dir_all(world.path("disk/lost+found")).unwrap();
    world.run("put photo.jpg --data-dir disk").ends(0);
    world.run("put photo.jpg --data-dir disk").ends(0);
}

/// A catalogue is for legacy records that a function reads, and for an index that can be opened directly.
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

#[test]
fn what_was_reached_is_told() {
    let world = World::new();
    let server = Server::start(&world, "");
    let tls = server.address().replace("http://", "https://");
    world
        .run(&format!("get photo.jpg {tls}"))
        .ends(1)
        .says(&["speaks HTTP without TLS: use http://127.0.0.1:"]);
}

#[test]
fn a_wrong_manifest_is_named_by_its_file() {
    let world = World::new();
    world.write("bom.json", b"\xef\xbb\xbf{}");
    world.write("photo.jpg.c2pa", b"\0\0\0\x08jumb");
    for (typed, code, says) in [
        ("photo.jpg --manifest bom.json", 1, "bom.json: it begins with a byte order mark"),
        ("photo.jpg --manifest photo.jpg", 1, "photo.jpg: this is a file of type image/jpeg, not a manifest"),
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

/// A pipe without a writer is not waited for.
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

/// A misspelt variable changes nothing, so only its name can tell the user why.
#[test]
fn variables_without_effect_are_told_whatever_is_logged() {
    let world = World::new();
    let told =
        "CREDLINK_COLECTIONS is not a variable of CredLink and has no effect; is CREDLINK_COLLECTIONS meant?";
    let run = |typed: &str| {
        let mut command = world.command(typed);
        command.env("CREDLINK_COLECTIONS", "c.json").env("CREDLINK_WISH", "x").env("CREDLINK_LOG", "off");
        Ran::of(typed, &mut command)
    };
    let put = run("put photo.jpg --data-dir data").ends(0);
    assert!(!put.stdout().contains("CREDLINK_"), "{}", put.report());
    put.says(&[told, "CREDLINK_WISH is not a variable of CredLink and has no effect\n"]);
    // The address is refused after the variables were looked at.
    run("serve --listen nowhere").ends(2).says(&[told]);
    let json = run("get photo.jpg --data-dir data --json").ends(0);
    assert_eq!(json.stderr(), "", "scripts get problem documents and nothing else");
    // The process that reads the file is another one of this program, and does not repeat it.
    let verify = run("verify photo.jpg --data-dir data").ends(0);
    assert_eq!(verify.report().matches(told).count(), 1, "{}", verify.report());
}

#[test]
fn variables_that_are_set_to_nothing_count_as_not_set() {
    let world = World::new();
    let typed = "put photo.jpg --data-dir data";
    let mut command = world.command(typed);
    command.env("CREDLINK_URL", "").env("CREDLINK_TOKEN", "").env("CREDLINK_TENANT", " ");
    Ran::of(typed, &mut command).ends(0);
    for name in ["CREDLINK_TOKENS", "CREDLINK_JWKS"] {
        let mut command = world.command("serve --listen 127.0.0.1:0");
        Ran::of("serve", command.env(name, "")).ends(2).says(&[name, "is set to nothing"]);
    }
}

//! A lost index that the program itself rebuilds, even when it is killed again and again.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_deployment::local::open;
use credlink_service::ServiceSettings;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use http::Request;
use sha2::{Digest as _, Sha256};

use crate::world::{Server, World};

/// Number of proofs in the store that is rebuilt under kills.
const PROOFS: usize = 3_000;

#[test]
fn an_index_that_is_lost_is_made_anew() {
    let world = World::new();
    world.run("rebuild --data-dir data").ends(1).says(&["holds no CredLink"]);
    world.run("put photo.jpg --data-dir data").ends(0);
    world.write("other.jpg", b"\xff\xd8\xff\xe0 another");
    world.run("put other.jpg --manifest photo.jpg.json --data-dir data").ends(0);
    world.run("delete other.jpg --data-dir data").ends(0);
    world.run("rebuild --data-dir data").ends(0).says(&["0 rows made", "belong together"]);
    fs::remove_file(world.path("data/index.redb")).unwrap();
    world.run("get photo.jpg --data-dir data").ends(1).says(&["the index was lost"]);
    let rebuilt = world.run("rebuild --data-dir data --json").ends(0).json();
    assert_eq!((&rebuilt["rebuilt"]["made"], &rebuilt["rebuilt"]["joined"]), (&2.into(), &true.into()));
    world.run("get photo.jpg --data-dir data").ends(0);
    world.run("get other.jpg --data-dir data").ends(3).says(&["This was deleted"]);
    world.run("fsck --data-dir data").ends(0).says(&["everything is as it has to be"]);
    world.run("cleanup --data-dir data").ends(0).says(&["cleaned up: 0 removed"]);
    world.run("fsck --undo --data-dir data").ends(0).says(&["0 brought back"]);
    let server = Server::start(&world, "");
    world.run("rebuild --data-dir data").ends(1).says(&["used by another process"]);
    drop(server);
}

#[test]
fn rows_are_changed_where_that_is_confirmed() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0);
    fs::copy(world.path("data/index.redb"), world.path("old.redb")).unwrap();
    world.run("delete photo.jpg --data-dir data").ends(0);
    fs::copy(world.path("old.redb"), world.path("data/index.redb")).unwrap();
    world.run("rebuild --data-dir data").ends(5).says(&["1 brought up to date", "--confirm"]);
    world.run("fsck --data-dir data").ends(6).says(&["The index is older than the store"]);
    world.run("rebuild --confirm --data-dir data").ends(0).says(&["belong together"]);
    world.run("get photo.jpg --data-dir data").ends(3).says(&["This was deleted"]);
    world.run("fsck --data-dir data").ends(0);
}

#[test]
fn a_rebuild_that_is_killed_goes_on() {
    let world = World::new();
    let data = world.path("data");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    {
        let settings = ServiceSettings {
            public_url: "http://127.0.0.1".to_owned(),
            notice_on_read: true,
            ..ServiceSettings::default()
        };
        let service = open(&data, Gate::of(None, None), settings).unwrap();
        let store = async |number: usize| {
            let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(number.to_string()));
            let body = format!(r#"{{"media_hash":"{hash}","manifest":{{"n":{number}}}}}"#);
            let request = Request::post("/v1/proofs").header("content-type", "application/json").body(());
            let (parts, ()) = request.unwrap().into_parts();
            let answer = service.handle(&parts, async { Ok(Bytes::from(body)) }).await;
            assert_eq!(answer.status(), 201);
        };
        runtime.block_on(iter(0..PROOFS).for_each_concurrent(200, store));
        runtime.block_on(service.tick()).unwrap();
    }
    fs::remove_file(data.join("index.redb")).unwrap();
    let mut kills = 0;
    for round in 0..30_u64 {
        let mut child = world
            .command("rebuild --data-dir data --json")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(15 + 7 * round));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0, "it was never killed");
    let rebuilt = world.run("rebuild --data-dir data --json").ends(0).json();
    assert_eq!(rebuilt["rebuilt"]["joined"], true, "killed {kills} times: {rebuilt}");
    let stats = world.run("stats --data-dir data --json").ends(0).json();
    assert_eq!(stats["proofs"], PROOFS, "killed {kills} times");
    world.run("fsck --data-dir data").ends(0);
}

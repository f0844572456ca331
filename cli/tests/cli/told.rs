//! Small details that `verify` reports exactly.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use crate::formats::outcome;
use crate::signed::{self, Way};
use crate::world::{Server, World};

const PICTURE: &[u8] = include_bytes!("../../../tests/pictures/waves.jpg");
const ID: &str = "urn:c2pa:0c23a287-5490-4c97-b90e-d5c79a45a11e";

fn signed() -> Vec<u8> {
    signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file
}

/// An address that forwards one connection to a server. Before the first request is forwarded, `file` gets another
/// content.
fn behind_a_change(server: &Server, file: PathBuf, content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let there = server.connect();
    thread::spawn(move || {
        let (here, _) = listener.accept().unwrap();
        std::fs::write(file, content).unwrap();
        let answers = (there.try_clone().unwrap(), here.try_clone().unwrap());
        let copy = |(mut from, mut to): (TcpStream, TcpStream)| io::copy(&mut from, &mut to);
        let asked = thread::spawn(move || copy((here, there)));
        // The client hangs up when it has its answers.
        let _ = (copy(answers), asked.join());
    });
    format!("http://{address}")
}

#[test]
fn a_file_that_changes_while_it_is_read_gets_no_verdict() {
    let world = World::new();
    let server = Server::start(&world, "");
    let genuine = signed();
    let mut forged = genuine.clone();
    let last = forged.len() - 9;
    forged[last] ^= 1;
    world.write("a.jpg", &forged);
    world.run(&format!("put a.jpg {}", server.address())).ends(0);
    world.run(&format!("verify a.jpg {}", server.address())).ends(4);
    // The hashed file is forged, and the validated one would be genuine.
    let url = behind_a_change(&server, world.path("a.jpg"), genuine);
    let verify = world.run(&format!("verify a.jpg --url {url}")).ends(1);
    verify.says(&["a.jpg: the file changed while it was read"]);
}

#[test]
fn the_owner_sees_that_a_manifest_is_withdrawn() {
    let world = World::new();
    world.write("a.jpg", &signed());
    world.run("put a.jpg --data-dir data").ends(0);
    let verify = |says: bool| {
        let verify = world.offline("verify a.jpg --data-dir data").ends(0).says(&["– it is public"]);
        assert_eq!(verify.report().contains("its manifest alone is private"), says, "{}", verify.report());
    };
    verify(false);
    world.run("withdraw a.jpg --data-dir data").ends(0);
    verify(true);
    let verification = world.offline("verify a.jpg --json --data-dir data").json();
    assert_eq!(outcome(&verification, "manifest_visibility"), "open");
    world.run("withdraw a.jpg --undo --data-dir data").ends(0);
    verify(false);
    // For a proof that is private as a whole, this has been said already.
    world.run("put a.jpg --private --data-dir other").ends(0);
    let verify = world.offline("verify a.jpg --data-dir other").ends(0).says(&["– it is private"]);
    assert!(!verify.report().contains("its manifest alone"), "{}", verify.report());
}

#[test]
fn a_file_that_is_none_of_its_type_is_called_that() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data").ends(0);
    for (name, content, says) in [
        ("empty.jpg", &[][..], "no manifest is looked for in empty.jpg: it is empty, and no image/jpeg"),
        ("zeros.mp4", &[0; 64], "zeros.mp4: by its name it is a file of type video/mp4, and it is none"),
        ("unknown", b"text", "no manifest is looked for in unknown: its type is not known"),
        ("a.bmp", b"BM", "a.bmp: CredLink reads no manifest in a file of type image/bmp"),
    ] {
        world.write(name, content);
        world.offline(&format!("verify {name} --data-dir data")).ends(3).says(&[says]);
    }
}

#[test]
fn a_pipe_that_cannot_be_kept_is_told_from_one_that_cannot_be_read() {
    let world = World::new();
    let mut command = world.command("verify - --data-dir data");
    command.env("TMPDIR", world.path("nowhere")).stdin(std::process::Stdio::null());
    let verify = crate::world::Ran::of("verify -", &mut command).ends(1);
    let verify = verify.says(&["what comes through standard input is kept in a temporary file", "nowhere"]);
    assert!(!verify.report().contains("standard input cannot be read"), "{}", verify.report());
}

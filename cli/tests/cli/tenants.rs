//! Whose proofs: over HTTP the token decides, and every command that it could surprise says so.

use std::io::{Read as _, Write as _};

use sha2::{Digest as _, Sha256};

use crate::signed::{self, Way};
use crate::world::{Server, World};

const PICTURE: &[u8] = include_bytes!("../../../tests/pictures/waves.jpg");
const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

/// A server whose token `secret` is of the tenant `team`.
fn server(world: &World) -> Server {
    let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest("secret"));
    let tokens = format!(r#"[{{"name":"a","sha256":"{sha256}","tenant":"team","scopes":["admin"]}}]"#);
    world.write("tokens.json", tokens.as_bytes());
    Server::of(world, " --tokens tokens.json", &[("CREDLINK_TENANTS", "several".into())])
}

#[test]
fn the_tenant_is_said_where_it_matters() {
    let world = World::new();
    let server = server(&world);
    let place = format!("{} --token secret", server.address());
    for typed in ["", " --tenant other"] {
        let put = world.run(&format!("put photo.jpg {place}{typed}")).ends(0);
        let name = if typed.is_empty() { "default" } else { "other" };
        let remark =
            format!("the token is of the tenant `team`, and not of `{name}`: name its tenant with --tenant");
        put.says(&["tenant    team", &remark]);
    }
    assert_eq!(world.run(&format!("put photo.jpg --json {place}")).ends(0).json()["tenant"], "team");
    let put = world.run(&format!("put photo.jpg --tenant team {place}")).ends(0);
    assert!(!put.stderr().contains("--tenant"), "{}", put.report());

    for command in ["verify", "get"] {
        let missed = world.run(&format!("{command} photo.jpg {place}")).ends(3);
        missed
            .says(&["There is nothing here", "the proofs of the tenant `default` were asked for (--tenant)"]);
        world.run(&format!("{command} photo.jpg --tenant team {place}")).ends(0);
    }
    let nothing = world.run(&format!("delete photo.jpg {place}")).ends(3);
    nothing.says(&[
        "there is no proof that this credential may delete",
        "the one of the tenant `default` was looked for (--tenant)",
        "(--token)",
    ]);
    world.run(&format!("list --tenant other {place}")).ends(2).says(&["which is not `other`"]);
    world.run(&format!("list {place}")).ends(0).says(&["which is not `default`", "application/json"]);
    let list = world.run(&format!("list --tenant team {place}")).ends(0);
    assert_eq!(list.stderr(), "");
}

/// Of a proof that has a record, the manifest is read where its tenant has it, whatever the plain address serves.
#[test]
fn a_manifest_is_the_one_of_its_tenant() {
    let world = World::new();
    let sign = || signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file;
    let (first, second) = (sign(), sign());
    assert_ne!(first, second);
    for (name, tenant, file) in [("first", "default", &first), ("second", "acme", &second)] {
        world.write(&format!("{name}.jpg"), file);
        world.run(&format!("put {name}.jpg --data-dir data --tenant {tenant}")).ends(0);
        let verify = world.run(&format!("verify {name}.jpg --data-dir data --tenant {tenant}")).ends(0);
        verify.says(&["everything that can be checked holds"]);
    }
    for (subject, tenant, file) in [
        ("second.jpg --manifest", "acme", &second),
        (ID, "acme", &second),
        ("first.jpg --manifest", "default", &first),
        (ID, "default", &first),
    ] {
        world.run(&format!("get {subject} -o out.c2pa --data-dir data --tenant {tenant}")).ends(0);
        let manifest = c2pa::jumbf_io::load_jumbf_from_memory("image/jpeg", file).unwrap();
        assert_eq!(std::fs::read(world.path("out.c2pa")).unwrap(), manifest, "{subject} {tenant}");
    }
    world.run(&format!("get {ID} --data-dir data --tenant nobody")).ends(3);
}

#[test]
fn a_manifest_that_was_withdrawn_is_left_open() {
    let world = World::new();
    let server = server(&world);
    world.write("inside.jpg", &signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file);
    let place = format!("{} --tenant team", server.address());
    world.run(&format!("put inside.jpg --token secret {place}")).ends(0);
    world.run(&format!("verify inside.jpg {place}")).ends(0).says(&["everything that can be checked holds"]);
    let body = r#"{"visibility":"private"}"#;
    let request = format!(
        "PUT /v1/manifests/{ID}/visibility HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer secret\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = server.connect();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    let verify = world.run(&format!("verify inside.jpg {place}")).ends(0);
    let verify = verify.says(&[
        "inside.jpg: nothing fails, and its manifest is not there",
        "its owner has withdrawn it, or it was lost: it is not there for this reader",
    ]);
    assert!(!verify.report().contains("NOT everything"), "{}", verify.report());
    let verify = world.run(&format!("verify inside.jpg --token secret {place}")).ends(0);
    verify.says(&["everything that can be checked holds"]);
}

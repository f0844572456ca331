//! Whose proofs: over HTTP the token decides, and every command that it could surprise says so.

use sha2::{Digest as _, Sha256};

use crate::world::{Server, World};

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
    world.run(&format!("list --tenant other {place}")).ends(2).says(&["which is not `other`"]);
    world.run(&format!("list {place}")).ends(0).says(&["which is not `default`", "application/json"]);
    let list = world.run(&format!("list --tenant team {place}")).ends(0);
    assert_eq!(list.stderr(), "");
}

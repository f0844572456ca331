//! The tenant of a command: over HTTP the token decides, and every command that this might surprise says so.

use credlink_core::front::Front;
use sha2::{Digest as _, Sha256};

use crate::foreign::answering;
use crate::signed::{self, Way};
use crate::world::{Ran, Server, World};

const PICTURE: &[u8] = include_bytes!("../../../tests/pictures/waves.jpg");
const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

/// A server on which the token `secret` belongs to the tenant `team`, and `key` to the tenant `acme`.
pub fn server(world: &World) -> Server {
    let entry = |token: &str, tenant: &str| {
        let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(token));
        format!(r#"{{"name":"{tenant}","sha256":"{sha256}","tenant":"{tenant}","scopes":["admin"]}}"#)
    };
    let tokens = format!("[{},{}]", entry("secret", "team"), entry("key", "acme"));
    world.write("tokens.json", tokens.as_bytes());
    Server::of(world, " --tokens tokens.json", &[("CREDLINK_TENANTS", "several".into())])
}

#[test]
fn the_tenant_is_said_where_it_matters() {
    let world = World::new();
    let server = server(&world);
    let place = format!("{} --token secret", server.address());
    let refused = world.run(&format!("put photo.jpg --tenant other {place}")).ends(1);
    refused.says(&[
        "This belongs to another tenant",
        "it is meant for the tenant `other`, and the credential is of the tenant `team`; nothing was stored",
    ]);
    let put = world.run(&format!("put photo.jpg {place}")).ends(0);
    put.says(&[
        "photo.jpg: stored",
        "tenant    team",
        "it is a proof of the tenant `team`, as the token says: to find it by its file, give --tenant team",
    ]);
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
        "there is no proof that may be deleted like this",
        "the one of the tenant `default` was looked for (--tenant)",
        "(--token)",
    ]);
    world.run(&format!("list --tenant other {place}")).ends(2).says(&["which is not `other`"]);
    world.run(&format!("list {place}")).ends(0).says(&["which is not `default`", "application/json"]);
    let list = world.run(&format!("list --tenant team {place}")).ends(0);
    assert_eq!(list.stderr(), "");
}

/// The manifest of a recorded proof is read from the proof's tenant, whatever the plain address serves.
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
        world.run(&format!("get {subject} --force -o out.c2pa --data-dir data --tenant {tenant}")).ends(0);
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
    world.run(&format!("withdraw {ID} --token secret {place}")).ends(0);
    let verify = world.run(&format!("verify inside.jpg {place}")).ends(0);
    let verify = verify.says(&[
        "inside.jpg: no check fails, but its manifest is missing",
        "it is not available to this reader: its owner has withdrawn it, or it was lost",
    ]);
    assert!(!verify.report().contains("NOT everything"), "{}", verify.report());
    let verify = world.run(&format!("verify inside.jpg --token secret {place}")).ends(0);
    verify.says(&["everything that can be checked holds"]);
}

/// A command that names another tenant's proof, or another tenant, does not withdraw the caller's own manifest with the
/// same ID.
#[test]
fn a_manifest_that_is_withdrawn_is_the_one_that_was_meant() {
    let world = World::new();
    let server = server(&world);
    let place = server.address();
    let sign = || signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file;
    for (name, tenant, token) in [("theirs", "acme", "key"), ("own", "team", "secret")] {
        world.write(&format!("{name}.jpg"), &sign());
        world.run(&format!("put {name}.jpg {place} --token {token} --tenant {tenant}")).ends(0);
    }
    for subject in ["theirs.jpg --tenant acme", &format!("{ID} --tenant acme")] {
        world.run(&format!("withdraw {subject} {place} --token secret")).ends(1).says(&["tenant"]);
    }
    for tenant in ["acme", "team"] {
        world.run(&format!("get {ID} --force -o out.c2pa {place} --tenant {tenant}")).ends(0);
    }
    world.run(&format!("withdraw own.jpg --tenant team {place} --token secret")).ends(0);
    world.run(&format!("get {ID} --force -o out.c2pa {place} --tenant team")).ends(3);
    world.run(&format!("get {ID} --force -o out.c2pa {place} --tenant acme")).ends(0);
    // No tenant is named, so it is that of the token.
    let undone = world.run(&format!("withdraw {ID} --undo {place} --token secret")).ends(0);
    undone.says(&["the manifest of the tenant of the token"]);
    world.run(&format!("get {ID} --force -o out.c2pa {place} --tenant team")).ends(0);
}

/// Everything that can be withdrawn, over a folder and over a server, by callers that may and by no others.
#[test]
fn a_manifest_is_withdrawn_and_published_again() {
    for over_http in [false, true] {
        let world = World::new();
        let server = over_http.then(|| server(&world));
        let place = server.as_ref().map_or("--data-dir data".to_owned(), Server::address);
        let own = if over_http { format!("{place} --token secret") } else { place.clone() };
        world.write("inside.jpg", &signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file);
        world.run(&format!("put inside.jpg {own} --tenant team")).ends(0);
        let reader = |tenant: &str, code: i32| {
            world.run(&format!("get {ID} --force -o out.c2pa {place} --tenant {tenant}")).ends(code);
        };
        for subject in [ID, "inside.jpg"] {
            let withdrawn = world.run(&format!("withdraw {subject} {own} --tenant team")).ends(0);
            withdrawn.says(&[&format!("{ID}: withdrawn; only the tenant `team` and holders")]);
            reader("team", if over_http { 3 } else { 0 });
            // Repeating the command does no harm.
            let again = world.run(&format!("withdraw {subject} {own} --tenant team --json")).ends(0).json();
            assert_eq!(
                again,
                serde_json::json!({"manifest_id": ID, "tenant": "team", "visibility": "private"})
            );
            // The proof is public, but its manifest is not.
            let put = world.run(&format!("put inside.jpg {own} --tenant team")).ends(0);
            put.says(&["everybody (public); its C2PA manifest was withdrawn"]);
            let published = world.run(&format!("withdraw {subject} --undo {own} --tenant team")).ends(0);
            published
                .says(&[&format!("{ID}: published; everybody can read the manifest of the tenant `team`")]);
            let put = world.run(&format!("put inside.jpg {own} --tenant team --json")).ends(0).json();
            assert_eq!(put["manifest_withdrawn"], false);
            reader("team", 0);
        }
        if over_http {
            world.run(&format!("withdraw {ID} {place}")).ends(1).says(&["A valid credential is needed"]);
        } else {
            let other = world.run(&format!("withdraw {ID} {place} --tenant other")).ends(3);
            other.says(&["the manifests of the tenant `other` were looked at (--tenant)"]);
        }
        world.run(&format!("put photo.jpg {own} --tenant team")).ends(0);
        let inline = world.run(&format!("withdraw photo.jpg {own} --tenant team")).ends(2);
        inline.says(&["stands in its record", "--private"]);
        world
            .run(&format!("withdraw http://a.example/x {own} --tenant team"))
            .ends(2)
            .says(&["name it by its id"]);
        world.run(&format!("withdraw urn:c2pa:none {own} --tenant team")).ends(3);
    }
}

#[test]
fn a_front_is_shown_and_decided() {
    let world = World::new();
    let several = |typed: &str| {
        let mut command = world.command(&format!("{typed} --data-dir data"));
        Ran::of(typed, command.env("CREDLINK_TENANTS", "several"))
    };
    world.write("inside.jpg", &signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file);
    several("put photo.jpg").ends(0);
    let none = several(&format!("front {ID}")).ends(3);
    let none =
        none.says(&["Nobody has claimed the plain address: it serves what the tenant `default` stores"]);
    assert!(!none.report().contains("nothing here"), "{}", none.report());
    several("put inside.jpg --tenant acme").ends(0);
    let shown = several(&format!("front {ID}")).ends(0);
    let shown = shown.says(&["its plain address is that of the tenant `acme`, which was the first"]);
    assert!(!shown.report().contains("several"), "{}", shown.report());
    // With a single tenant, no front is used.
    let kept = world.run(&format!("front {ID} --data-dir once --give acme"));
    kept.ends(1).says(&["once holds no CredLink"]);
    world.run("put photo.jpg --data-dir once").ends(0);
    let kept = world.run(&format!("front {ID} --data-dir once --give acme")).ends(0);
    kept.says(&["is that of the tenant `acme`", "this counts once there are several"]);
    // Naming a tenant in another option decides nothing.
    several(&format!("front {ID} --tenant bad")).ends(0).says(&["`acme`"]);
    let given = several(&format!("front {ID} --give bad --json")).ends(0).json();
    let expected =
        serde_json::json!({"version": 1, "manifest_id": ID, "tenant": "bad", "decided_by": "operator"});
    assert_eq!(given, expected);
    several(&format!("get {ID} --force -o out.c2pa"))
        .ends(3)
        .says(&["the plain address was read", "--tenant says"]);
    several(&format!("front {ID} --free")).ends(0).says(&["nobody's"]);
    several(&format!("front {ID} --give acme --free")).ends(2);
    several(&format!("front {ID} --give A/B")).ends(2);
    several(&format!("front {ID} --give acme")).ends(0).says(&["as the operator has decided"]);
    // A caller that decides may read what others may not.
    several("withdraw inside.jpg --tenant acme").ends(0);
    let hidden = several(&format!("front {ID} --give acme --tenant acme")).ends(0);
    hidden.says(&["the tenant `acme` has no manifest under this id that everybody can read"]);
    several("withdraw inside.jpg --tenant acme --undo").ends(0);
    let open = several(&format!("front {ID} --give acme --tenant acme")).ends(0);
    assert_eq!(open.stderr(), "");
    several(&format!("get {ID} --force -o out.c2pa")).ends(0);
}

/// A migration that was rolled back leaves a front that names no tenant.
#[test]
fn a_front_that_was_released_is_as_none() {
    let world = World::new();
    let front = Front::released(ID.parse().unwrap());
    let body = serde_json::to_string(&front).unwrap();
    let server = answering(move |_| {
        let length = body.len();
        format!("200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
    });
    let none = world.run(&format!("front {ID} --url {server}")).ends(3);
    none.says(&["Nobody has claimed the plain address: it serves what the tenant `default` stores"]);
    // The answer is not the front of the requested ID.
    world.run(&format!("front urn:c2pa:x --url {server}")).ends(1).says(&["not as CredLink answers"]);
}

/// Over HTTP the scope decides: every caller may ask whose manifest a plain address serves, and only the operator may
/// change it.
#[test]
fn a_front_is_decided_by_the_operator_alone() {
    let world = World::new();
    let server = server(&world);
    let place = format!("{} --token secret", server.address());
    world.write("inside.jpg", &signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file);
    world.run(&format!("put inside.jpg {place}")).ends(0);
    world.run(&format!("front {ID} {}", server.address())).ends(0).says(&["the tenant `team`"]);
    let others =
        world.run(&format!("delete inside.jpg --tenant team --token key {}", server.address())).ends(1);
    others.says(&["belongs to another tenant", "(--token)", "--tenant"]);
    let others =
        world.run(&format!("withdraw inside.jpg --tenant team --token key {}", server.address())).ends(1);
    others.says(&["belongs to another tenant", "(--token)", "--tenant says whose proof is meant"]);
    world.run(&format!("front {ID} --free {place}")).ends(1).says(&["operator"]);
    world.run(&format!("front {ID} {place}")).ends(0).says(&["the tenant `team`"]);
}

/// A folder that is created for several tenants records that: a program that opened it without the variable would leave
/// plain addresses without a front.
#[test]
fn a_folder_that_is_made_for_several_tenants_says_so() {
    let world = World::new();
    world.write("inside.jpg", &signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file);
    world.run("put inside.jpg --data-dir old --tenant acme").ends(0);
    let front = world.run(&format!("front {ID} --data-dir old")).ends(1);
    front.says(&[
        "old was last used with several tenants (CREDLINK_TENANTS=several)",
        "here it would be with one tenant.",
    ]);
    let job = "migrate run --from dir:old --to dir:new --job all --tenant acme";
    // With a single tenant, the proof would not be found.
    let mut alone = world.command(job);
    let refused = Ran::of(job, alone.env("CREDLINK_TENANTS", "one")).ends(2);
    refused.says(&["has one tenant, `default`, and the job brings others", "CREDLINK_TENANTS=several"]);
    world.run(job).ends(0).says(&["1 copied"]);
    // A server without the variable does not take the folder for one of a single tenant either.
    let serve = world.run("serve --listen 127.0.0.1:0 --data-dir new").ends(1);
    serve.says(&["new was last used with several tenants", "CREDLINK_TENANTS=one to go back to one"]);
    world
        .run(&format!("front {ID} --data-dir new"))
        .ends(1)
        .says(&["new was last used with several tenants"]);
    let front = world.run(&format!("front {ID} --data-dir new --tenant acme")).ends(0);
    front.says(&["its plain address is that of the tenant `acme`"]);
}

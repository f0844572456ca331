//! The server: how it starts, what it refuses, how it answers unusual requests, and how it stops.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use crate::world::{Ran, Server, World};

#[test]
fn the_start_is_told_in_words() {
    let world = World::new();
    let mut child = world
        .command("serve --listen 127.0.0.1:0 --data-dir data")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
    while !text.contains("Ctrl-C") && lines.read_line(&mut text).unwrap() > 0 {}
    let _ = child.kill();
    let _ = child.wait();
    insta::with_settings!({ filters => vec![(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT")] }, {
        insta::assert_snapshot!("start", text);
    });
}

#[test]
fn a_server_is_not_started_where_everybody_could_write() {
    let world = World::new();
    world.run("serve --listen 0.0.0.0:0 --data-dir data").ends(2).says(&[
        "0.0.0.0:0",
        "--tokens FILE",
        "127.0.0.1",
    ]);
    assert!(!world.path("data").exists());
    world.run("serve --listen nowhere").ends(2).says(&["--listen is an address and a port"]);
    world.write("tokens.json", b"[{}]");
    world.run("serve --tokens tokens.json").ends(2).says(&["tokens.json: ", "missing field"]);
    world.write("marked.json", b"\xef\xbb\xbf[]");
    world.run("serve --tokens marked.json").ends(2).says(&["marked.json begins with a byte order mark"]);
    for client in ["--token secret", "--tenant acme"] {
        world.run(&format!("serve {client} --data-dir data")).ends(2).says(&["serve takes --tokens FILE"]);
    }
    world
        .run("serve --listen 127.0.0.1:0 --data-dir data --public-url https://cdn.example.com")
        .ends(2)
        .says(&["--public-url https://cdn.example.com says that others reach this server", "--tokens FILE"]);
    assert!(!world.path("data").exists());
    world.run("serve --listen 127.0.0.1:0 --public-url here").ends(2).says(&["--public-url is an address"]);
}

/// An unreadable note may be from a folder of several tenants, or from a newer program, so no server starts as if there
/// were one tenant.
#[cfg(unix)]
#[test]
fn a_note_that_cannot_be_read_is_no_permission() {
    let world = World::new();
    world.run("put photo.jpg --data-dir data --tenant acme").ends(0);
    let note = world.path("data/deployment.json");
    let whole = std::fs::read_to_string(&note).unwrap();
    let newer = whole.replace("\"version\":1", "\"version\":2");
    assert_ne!(newer, whole);
    for text in ["", "[]", &whole[..whole.len() - 9], &newer] {
        std::fs::write(&note, text).unwrap();
        for tenants in [None, Some("one"), Some("several")] {
            let mut command = world.command("serve --listen 127.0.0.1:0 --data-dir data");
            command.envs(tenants.map(|tenants| ("CREDLINK_TENANTS", tenants)));
            let refused = Ran::of("serve", &mut command).ends(1);
            refused.says(&[
                "deployment.json is no note",
                "Nothing is changed",
                "move it away",
                "CREDLINK_TENANTS=several",
            ]);
            assert_eq!(std::fs::read_to_string(&note).unwrap(), *text);
        }
    }
    std::fs::remove_file(&note).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&note).status().unwrap().success());
    world.run("serve --listen 127.0.0.1:0 --data-dir data").ends(1).says(&["it is not a regular file"]);
}

/// A file of the operator's in the data folder does not make the folder foreign, wherever the keys of links come from.
#[test]
fn a_file_of_tokens_may_stand_in_the_folder() {
    let world = World::new();
    std::fs::create_dir(world.path("data")).unwrap();
    world.write("data/tokens.json", b"[]");
    let keys = format!("a:{}", "0".repeat(64));
    let server = Server::of(&world, " --tokens data/tokens.json", &[("CREDLINK_LINK_KEYS", keys.into())]);
    world.run(&format!("list {}", server.address())).ends(1).says(&["A valid credential is needed"]);
}

#[test]
fn a_body_that_is_not_wanted_is_answered_all_the_same() {
    let world = World::new();
    world.write("tokens.json", b"[]");
    let server = Server::start(&world, " --tokens tokens.json");
    world.write("long.json", format!("{{\"a\":\"{}\"}}", "a".repeat(900_000)).as_bytes());
    let typed = format!("put photo.jpg --manifest long.json {}", server.address());
    world.run(&typed).ends(1).says(&["A valid credential is needed"]);
}

/// HEAD and unusual requests, written by hand.
#[test]
fn http_is_kept_to_the_letter() {
    let world = World::new();
    let server = Server::start(&world, "");
    let put = world.run(&format!("put photo.jpg --json {}", server.address())).ends(0).json();
    let path = format!("/v1/proofs/{}", put["id"].as_str().unwrap());
    let ask = |head: &str| {
        let mut stream = server.connect();
        // A single write, because a server that has seen enough hangs up before a second one.
        let _ =
            stream.write_all(format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.to_ascii_lowercase()
    };
    let length = |answer: &str| {
        let value = answer.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("none");
        value.to_owned()
    };
    let (get, head) = (ask(&format!("GET {path} HTTP/1.1")), ask(&format!("HEAD {path} HTTP/1.1")));
    assert_eq!(length(&get), length(&head), "{get}\n{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let long = format!(
        "POST /v1/proofs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}",
        100_000_000
    );
    assert!(ask(&format!("{long}\r\nExpect: 100-continue")).starts_with("http/1.1 413"));
    // The server hangs up with bytes unread, so the answer may be lost on its way.
    let answer = ask(&format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000)));
    assert!(answer.is_empty() || answer.starts_with("http/1.1 431"), "{answer}");
    assert!(ask("nonsense").starts_with("http/1.1 400"));
}

/// A page of another site, a foreign name that resolves to this machine and a proxy are not trusted as this machine is.
/// With tokens, none of that is checked.
#[test]
fn without_tokens_only_this_machine_is_answered() {
    let world = World::new();
    let server = Server::start(&world, "");
    let put = world.run(&format!("put photo.jpg --json {}", server.address())).ends(0).json();
    let public = format!("/v1/proofs/{}", put["id"].as_str().unwrap());
    world.write("other.jpg", b"another picture");
    let typed = format!("put other.jpg --manifest photo.jpg.json --private --json {}", server.address());
    let put = world.run(&typed).ends(0).json();
    let private = format!("/v1/proofs/{}", put["id"].as_str().unwrap());
    let ask = |server: &Server, head: &str| {
        let mut stream = server.connect();
        stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_ascii_lowercase()
    };
    let evil = "Host: localhost\r\nOrigin: https://evil.example\r\nSec-Fetch-Site: cross-site";
    let read = ask(&server, &format!("GET {public} HTTP/1.1\r\n{evil}"));
    assert!(read.starts_with("http/1.1 200") && read.contains("access-control-allow-origin: *"), "{read}");
    // To the page, a private object looks as if it did not exist.
    let read = ask(&server, &format!("GET {private} HTTP/1.1\r\n{evil}"));
    assert!(read.starts_with("http/1.1 404") && read.contains("access-control-allow-origin: *"), "{read}");
    let read = ask(&server, &format!("GET {private} HTTP/1.1\r\nHost: localhost"));
    assert!(read.starts_with("http/1.1 200") && !read.contains("access-control-allow"), "{read}");
    for (method, path) in
        [("DELETE", &*public), ("OPTIONS", "/v1/proofs"), ("GET", "/v1/proofs"), ("GET", "/metrics")]
    {
        let refused = ask(&server, &format!("{method} {path} HTTP/1.1\r\n{evil}"));
        assert!(refused.starts_with("http/1.1 403"), "{refused}");
        assert!(
            refused.contains("not-this-machine") && !refused.contains("access-control-allow"),
            "{refused}"
        );
    }
    let preflight = ask(&server, &format!("OPTIONS {public} HTTP/1.1\r\n{evil}"));
    assert!(preflight.contains("access-control-allow-methods: get, head, options\r\n"), "{preflight}");
    let rebound = ask(&server, &format!("GET {public} HTTP/1.1\r\nHost: evil.example"));
    assert!(rebound.starts_with("http/1.1 421"), "{rebound}");
    // The host of the target decides, and `Host` is ignored (RFC 9112, section 3.2.2).
    let rebound = ask(&server, &format!("GET http://evil.example{public} HTTP/1.1\r\nHost: localhost"));
    assert!(rebound.starts_with("http/1.1 421"), "{rebound}");
    let own = ask(&server, &format!("GET http://localhost{public} HTTP/1.1\r\nHost: evil.example"));
    assert!(own.starts_with("http/1.1 200"), "{own}");
    let proxied =
        ask(&server, &format!("GET {public} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9"));
    assert!(proxied.starts_with("http/1.1 403"), "{proxied}");
    let nameless = ask(&server, &format!("GET {public} HTTP/1.1"));
    assert!(nameless.starts_with("http/1.1 400") && nameless.contains("\"field\":\"host\""), "{nameless}");
    drop(server);
    world.write("tokens.json", b"[]");
    let server = Server::start(&world, " --tokens tokens.json --public-url https://cdn.example.com");
    let head =
        format!("GET {public} HTTP/1.1\r\nHost: cdn.example.com\r\nVia: 1.1 a\r\nOrigin: https://a.example");
    assert!(ask(&server, &head).starts_with("http/1.1 200"));
}

/// The pages of an origin that the operator lists may use the API, with and without credentials. Others may use nothing but
/// what is public, and signed addresses.
#[test]
fn pages_of_a_listed_origin_may_use_the_api() {
    let world = World::new();
    world.write("tokens.json", b"[]");
    let ask = |server: &Server, head: &str, origin: &str| {
        let mut stream = server.connect();
        let head =
            format!("{head} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nSec-Fetch-Site: cross-site");
        stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_ascii_lowercase()
    };
    let (listed, other) = ("https://app.example.com", "https://evil.example");
    for (more, status) in [("", "http/1.1 200"), (" --tokens tokens.json", "http/1.1 401")] {
        let server = Server::start(&world, &format!(" --allow-origin {listed},http://localhost:5173{more}"));
        for path in ["/v1/uploads", "/v1/tus", "/v1/proofs"] {
            let preflight = ask(&server, &format!("OPTIONS {path}"), listed);
            assert!(preflight.starts_with("http/1.1 204"), "{preflight}");
            assert!(preflight.contains(&format!("access-control-allow-origin: {listed}\r\n")), "{preflight}");
            assert!(preflight.contains("vary: origin\r\n"), "{preflight}");
            assert!(preflight.contains("\r\naccess-control-allow-headers: authorization, "), "{preflight}");
            let refused = ask(&server, &format!("OPTIONS {path}"), other);
            assert!(!refused.contains("access-control-allow"), "{refused}");
        }
        let read = ask(&server, "GET /v1/proofs", listed);
        assert!(read.starts_with(status) && read.contains(&format!("allow-origin: {listed}\r\n")), "{read}");
        let read = ask(&server, "GET /v1/proofs", other);
        assert!(!read.contains("access-control-allow-origin"), "{read}");
    }
    let server = Server::start(&world, " --tokens tokens.json");
    let address = "OPTIONS /v1/uploads/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/bytes";
    let preflight = ask(&server, address, other);
    assert!(preflight.contains("access-control-allow-origin: *\r\n"), "{preflight}");
    assert!(preflight.contains("access-control-allow-methods: put, options\r\n"), "{preflight}");
    world.run("serve --allow-origin app.example.com").ends(2).says(&["an origin is a scheme and a host"]);
}

/// Sends an HTTP/2 request without TLS, as frames, with `:authority` and optionally `host`. Returns everything that
/// comes back.
fn ask_h2(server: &Server, path: &str, authority: &str, host: Option<&str>) -> String {
    // Literals without indexing, with names from the static table (RFC 7541, section 6.2.2 and appendix A).
    let mut block = vec![0x82, 0x86];
    let mut literal = |name: u8, value: &str| {
        block.extend([name, u8::try_from(value.len()).unwrap()]);
        block.extend(value.as_bytes());
    };
    literal(4, path);
    literal(1, authority);
    if let Some(host) = host {
        // Index 38, of which the first 15 fill the prefix.
        block.extend([0x0f, 23, u8::try_from(host.len()).unwrap()]);
        block.extend(host.as_bytes());
    }
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    sent.extend([0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    sent.extend(block);
    let mut stream = server.connect();
    stream.write_all(&sent).unwrap();
    let mut answer = Vec::new();
    let mut frame = [0; 9];
    // Until the last frame of the answer, which carries the flag for its end.
    while stream.read_exact(&mut frame).is_ok() {
        let mut payload = vec![0; usize::from(frame[1]) << 8 | usize::from(frame[2])];
        stream.read_exact(&mut payload).unwrap();
        answer.extend(payload);
        if frame[3] < 2 && frame[4] & 1 == 1 {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_authority_of_a_request_of_http_2_is_looked_at() {
    let world = World::new();
    let server = Server::start(&world, "");
    let put = world.run(&format!("put photo.jpg --json {}", server.address())).ends(0).json();
    let (id, path) = (put["id"].as_str().unwrap(), format!("/v1/proofs/{}", put["id"].as_str().unwrap()));
    for host in [None, Some("localhost")] {
        let own = ask_h2(&server, &path, "localhost", host);
        assert!(own.contains(&format!("\"id\":\"{id}\"")), "{host:?}: {own}");
    }
    for host in [None, Some("localhost"), Some("evil.example")] {
        let rebound = ask_h2(&server, &path, "evil.example", host);
        assert!(rebound.contains("urn:credlink:problem:misdirected"), "{host:?}: {rebound}");
    }
}

/// At their start, a server and a command remove the rights of other users from an existing folder.
#[cfg(unix)]
#[test]
fn a_folder_that_others_may_use_is_made_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    let set = |name: &str, mode: u32| {
        std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let mode = |name: &str| world.path(name).metadata().unwrap().permissions().mode() & 0o7777;
    std::fs::create_dir(world.path("data")).unwrap();
    for rights in [0o777, 0o755, 0o750] {
        set("data", rights);
        drop(Server::start(&world, ""));
        assert_eq!(mode("data"), 0o700, "serve, {rights:o}");
        set("data", rights);
        for file in ["link-key", "lock", "index.redb", "deployment.json"] {
            set(&format!("data/{file}"), 0o644);
        }
        world.run("put photo.jpg --data-dir data").ends(0);
        assert_eq!(mode("data"), 0o700, "put, {rights:o}");
        drop(Server::start(&world, ""));
        for file in ["link-key", "lock", "index.redb", "deployment.json"] {
            assert_eq!(mode(&format!("data/{file}")), 0o600, "{file}");
        }
    }
    // A folder like `/tmp`, which all users share, is left accessible to them.
    std::fs::create_dir(world.path("shared")).unwrap();
    set("shared", 0o1777);
    let put = world.run("put photo.jpg --data-dir shared").ends(0);
    put.says(&["others have rights here", "give the data a folder of its own"]);
    assert_eq!((mode("shared"), mode("shared/objects")), (0o1777, 0o700));
}

#[cfg(unix)]
#[test]
fn a_request_in_flight_is_finished_and_a_silent_connection_does_not_hold_up_the_end() {
    let world = World::new();
    let mut server = Server::start(&world, "");
    let silent = server.connect();
    let mut stream = server.connect();
    let body =
        r#"{"media_hash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","manifest":{}}"#;
    let head = format!(
        "POST /v1/proofs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..10]).unwrap();
    // Wait until the server has begun to read the request.
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.signal();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(server.is_running(), "it did not wait for the request");
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let asked = std::time::Instant::now();
    assert_eq!(server.wait().code(), Some(0));
    assert!(asked.elapsed().as_secs() < 5, "it waited for a connection that was silent");
    drop(silent);
}

/// A line that an adapter logs during a request has the request's ID, as does the request's own line.
#[test]
fn every_line_of_a_request_has_its_id() {
    let world = World::new();
    // Nothing listens on port 1, so the keys cannot be fetched, and the log says so.
    let options = " --jwks http://127.0.0.1:1/ --jwt-issuer i --jwt-audience a";
    let server = Server::logging(&world, options, "warn");
    let mut stream = server.connect();
    // Its header is {"alg":"EdDSA","kid":"a"}.
    let token = "eyJhbGciOiJFZERTQSIsImtpZCI6ImEifQ.e30.e30";
    let head = format!(
        "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Request-Id: r-1\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let log = server.log();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let of = |part: &str| {
        log.iter().find(|line| line.to_string().contains(part)).unwrap_or_else(|| panic!("{log:?}"))
    };
    let (adapter, request) = (of("the keys of access tokens cannot be read"), of("\"status\":503"));
    assert_eq!(
        (&adapter["span"]["name"], &adapter["span"]["request_id"]),
        (&"request".into(), &"r-1".into()),
        "{log:?}"
    );
    assert_eq!(request["request_id"], "r-1", "{log:?}");
    assert!(!format!("{log:?}").contains(token) && !answer.contains(token));
}

/// A token of the file names no user, so that its scope `media:write` would be refused with the first upload.
#[test]
fn a_token_that_cannot_upload_is_told_at_the_start() {
    let world = World::new();
    let token = |name: &str, scope: &str| {
        let sha256 = credlink_core::hash::Digest::of(name.as_bytes());
        serde_json::json!({"name": name, "sha256": sha256, "tenant": "default", "scopes": [scope]})
    };
    let tokens = serde_json::json!([token("page", "media:write"), token("backend", "media:admin")]);
    world.write("tokens.json", tokens.to_string().as_bytes());
    // The address is refused after the tokens were read.
    let typed = "serve --listen nowhere --tokens tokens.json";
    let ran = Ran::of(typed, world.command(typed).env("CREDLINK_LOG", "warn")).ends(2);
    let told: Vec<serde_json::Value> =
        ran.stderr().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [warning] = &told[..] else { panic!("{}", ran.report()) };
    assert_eq!(warning["name"], "page", "{}", ran.report());
    ran.says(&["cannot upload", "give it `media:admin`"]);
}

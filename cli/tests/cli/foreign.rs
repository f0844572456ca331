//! Answers of servers that are not CredLink, such as a gateway, a portal or a web server. None of them is believed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::signed::{self, Way};
use crate::world::{Server, World};

const PICTURE: &[u8] = include_bytes!("../../../tests/pictures/waves.jpg");
const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

/// Starts a server that answers every request with 404 and a document that is not CredLink's. Returns the URL with
/// which its paths begin.
fn gateway() -> String {
    answering(|_| {
        let body = r#"{"message":"Not Found"}"#;
        format!("404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\r\n{body}")
    })
}

/// Starts a server that derives each answer from the first line of the request with `answer`: a status, headers and a
/// body.
pub fn answering(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    serving(move |asked| {
        let answer = answer(asked);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (head.to_owned(), body.as_bytes().to_owned())
    })
}

/// A server that answers as the one above does, with a body of arbitrary bytes.
fn serving(answer: impl Fn(&str) -> (String, Vec<u8>) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let request = whole(&mut connection);
            let (head, body) = answer(request.lines().next().unwrap_or_default());
            let body = if request.starts_with("HEAD") { Vec::new() } else { body };
            // A client that disconnects is not answered.
            let _ = write!(connection, "HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
            let _ = connection.write_all(&body);
        }
    });
    url
}

/// Reads a request with its body, since a connection that is closed before that is reset.
fn whole(connection: &mut TcpStream) -> String {
    let (mut request, mut piece) = (Vec::new(), [0; 4_096]);
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or_default() {
                return text;
            }
        }
        match connection.read(&mut piece) {
            Ok(0) | Err(_) => return text,
            Ok(read) => request.extend_from_slice(&piece[..read]),
        }
    }
}

#[test]
fn a_404_that_is_not_credlinks_is_no_absence() {
    let world = World::new();
    let server = Server::start(&world, "");
    let commands = [
        "get photo.jpg",
        "verify photo.jpg",
        "delete photo.jpg",
        "withdraw urn:c2pa:x",
        "front urn:c2pa:x",
        "list",
        "stats",
        "put photo.jpg",
        "get urn:c2pa:x",
    ];
    // A URL that was entered whole has nothing to do with --url.
    let elsewhere = world.run(&format!("get {}/v1/proofs/x", gateway())).ends(1);
    let elsewhere =
        elsewhere.says(&["404 Not Found", "is this the URL of a record or a manifest of CredLink?"]);
    assert!(!elsewhere.report().contains("--url"), "{}", elsewhere.report());
    for command in commands {
        let ran = world.run(&format!("{command} --url {}", gateway())).ends(1);
        ran.says(&["The answer is not CredLink's: 404 Not Found", "is --url its address?"]);
        let ran = world.run(&format!("{command} {}/v1", server.address())).ends(1);
        ran.says(&["credlink: There is no such path; GET ", "--url is the address without /v1"]);
    }
}

/// A server that answers everything with success has done nothing.
#[test]
fn a_success_that_is_not_credlinks_is_none() {
    let world = World::new();
    let page = "200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>";
    // Envoy, Heroku and Rails send request IDs too.
    let named =
        "200 OK\r\nx-request-id: r-1\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>";
    let typed = "200 OK\r\nx-request-id: r-1\r\ncontent-type: application/c2pa\r\ncontent-length: 13\r\n\r\n<html></html>";
    let empty = "200 OK\r\nx-request-id: r-1\r\ncontent-type: application/json\r\ncontent-length: 25\r\n\r\n{\"proofs\":[],\"next\":null}";
    for (answer, status) in [
        (page, "200 OK"),
        (named, "200 OK"),
        (typed, "200 OK"),
        (empty, "200 OK"),
        ("204 No Content\r\nx-request-id: r-1\r\n\r\n", "204 No Content"),
        ("200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}", "200 OK"),
        ("204 No Content\r\nserver: portal\r\n\r\n", "204 No Content"),
    ] {
        for command in [
            "get photo.jpg",
            "get urn:c2pa:x",
            "verify photo.jpg",
            "delete ym32rzlpvukwoewqzin4wsrs3w55fqze",
            "withdraw urn:c2pa:x",
            "front urn:c2pa:x --free",
            "front urn:c2pa:x",
            "list",
            "stats",
            "put photo.jpg",
        ] {
            let ran =
                world.run(&format!("{command} --url {}", answering(move |_| answer.to_owned()))).ends(1);
            let said = format!("The answer is not CredLink's: {status}, and not as CredLink answers");
            ran.says(&[&said, "is --url its address?"]);
        }
    }
}

/// A change is made at the given address, or not at all, since a redirect would turn it into a GET. The token is not
/// sent on.
#[test]
fn a_redirect_makes_no_change_and_gets_no_token() {
    let world = World::new();
    let server = Server::start(&world, "");
    let behind = server.address().replace("--url ", "");
    world.run(&format!("put photo.jpg {}", server.address())).ends(0);
    for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect"] {
        let behind = behind.clone();
        let front = answering(move |asked| {
            let path = asked.split(' ').nth(1).unwrap_or("/");
            format!("{status}\r\nlocation: {behind}{path}\r\ncontent-length: 0\r\n\r\n")
        });
        world.run(&format!("get photo.jpg --url {front}")).ends(0);
        let ran = world.run(&format!("delete photo.jpg --url {front}")).ends(1);
        ran.says(&[&format!("{status}: it leads to http://127.0.0.1"), "name the address there with --url"]);
        world.run(&format!("put photo.jpg --url {front}")).ends(1).says(&["it leads to"]);
    }
    world.run(&format!("get photo.jpg {}", server.address())).ends(0);
    let (told, seen) = std::sync::mpsc::channel();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let location = format!("http://{}/v1/proofs/x", elsewhere.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut connection, _) = elsewhere.accept().unwrap();
        let mut request = [0; 4_096];
        let read = connection.read(&mut request).unwrap();
        told.send(String::from_utf8_lossy(&request[..read]).into_owned()).unwrap();
    });
    let front = answering(move |_| format!("302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"));
    world.run(&format!("get photo.jpg --url {front} --token secret")).ends(1);
    let asked = seen.recv_timeout(std::time::Duration::from_secs(10)).unwrap().to_lowercase();
    assert!(asked.starts_with("get /v1/proofs/x") && !asked.contains("authorization"), "{asked}");
}

/// An object at the edge, or in a bucket to which an answer redirects, arrives without the mark. Its content identifies
/// it.
#[test]
fn content_is_known_by_itself() {
    let world = World::new();
    world.write("inside.jpg", &signed::sign("image/jpeg", PICTURE, Way::Embedded, ID).unwrap().file);
    world.run("put inside.jpg --data-dir data").ends(0);
    world.run("get inside.jpg --data-dir data -o record.json").ends(0);
    world.run(&format!("get {ID} --data-dir data -o out.c2pa")).ends(0);
    let record = std::fs::read_to_string(world.path("record.json")).unwrap();
    let manifest = std::fs::read(world.path("out.c2pa")).unwrap();
    let served = manifest.clone();
    let edge = serving(move |asked| {
        let (kind, body) = if asked.contains("/manifests/") {
            ("application/c2pa", served.clone())
        } else {
            ("application/json", record.clone().into_bytes())
        };
        (format!("200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}", body.len()), body)
    });
    world
        .run(&format!("verify inside.jpg --url {edge}"))
        .ends(0)
        .says(&["everything that can be checked holds"]);
    let bytes = world.command(&format!("get {ID} --url {edge}")).output().unwrap().stdout;
    assert_eq!(bytes, manifest);
    // This is not the requested manifest.
    world.run(&format!("get urn:c2pa:other --url {edge}")).ends(1).says(&["The answer is not CredLink's"]);
    // A URL does not tell which ID it has.
    let bytes = world.command(&format!("get {edge}/manifests/x")).output().unwrap().stdout;
    assert_eq!(bytes, manifest);
}

#[test]
fn an_answer_that_breaks_off_is_told_as_that() {
    let world = World::new();
    let half =
        answering(|_| "200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{".to_owned());
    let cut = world.run(&format!("get photo.jpg --url {half}")).ends(1);
    cut.says(&["The answer was cut off: http://127.0.0.1:", "began to answer, but did not finish"]);
}

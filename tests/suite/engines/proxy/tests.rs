use super::*;

/// An engine that answers each request with its own body, or "answer", and records the requests.
fn engine() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let came: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = came.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, noted) = (client.unwrap(), noted.clone());
            std::thread::spawn(move || {
                let mut requests = BufReader::new(&client);
                while let Ok(Some(request)) = read_message(&mut requests, &client, None) {
                    noted.lock().unwrap().push(request.first.clone());
                    let body = if request.first.starts_with("HEAD") { "" } else { "answer" };
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n{body}");
                    if (&client).write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, came)
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20)));
    config.http_status_as_error(false).build().into()
}

#[test]
fn what_passes_is_noted() {
    let (address, came) = engine();
    let proxy = Proxy::to(address);
    let agent = agent();
    for _ in 0..2 {
        let mut answer = agent.get(format!("{}/a?b=c", proxy.url())).call().unwrap();
        assert_eq!(answer.body_mut().read_to_string().unwrap(), "answer");
    }
    let put = agent.put(format!("{}/x", proxy.url())).header("x-amz-target", "T.Op");
    put.send(vec![7_u8; 100_000]).unwrap();
    agent.head(format!("{}/h", proxy.url())).call().unwrap();
    // The length is unknown, so the body is sent in chunks.
    let mut chunks = io::Cursor::new(b"in chunks");
    agent.post(format!("{}/c", proxy.url())).send(ureq::SendBody::from_reader(&mut chunks)).unwrap();
    let seen = |method: &str, path: &str, target: Option<&str>| Seen {
        method: method.to_owned(),
        path: path.to_owned(),
        target: target.map(str::to_owned),
    };
    let expected = [
        seen("GET", "/a?b=c", None),
        seen("GET", "/a?b=c", None),
        seen("PUT", "/x", Some("T.Op")),
        seen("HEAD", "/h", None),
        seen("POST", "/c", None),
    ];
    assert_eq!(proxy.requests(), expected);
    assert_eq!(proxy.requests(), []);
    assert_eq!(came.lock().unwrap().len(), 5);
}

#[test]
fn each_fault_is_seen_by_the_client_and_ends() {
    let (address, came) = engine();
    let proxy = Proxy::to(address);
    let agent = agent();
    let get = || {
        let mut answer = agent.get(proxy.url()).call()?;
        Ok::<_, ureq::Error>((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    };
    let works = |when: &str| assert_eq!(get().unwrap().1, "answer", "{when}");
    works("at first");
    proxy.set(Fault::Refuse);
    assert!(get().is_err());
    assert!(TcpStream::connect(("127.0.0.1", proxy.port)).is_err());
    proxy.set(Fault::Pass);
    works("after a refusal");
    proxy.set(Fault::Answer(503));
    let before = came.lock().unwrap().len();
    assert_eq!(get().unwrap().0, 503);
    assert_eq!(came.lock().unwrap().len(), before);
    proxy.set(Fault::ResetAfter(40));
    assert!(get().is_err());
    proxy.set(Fault::Slow(Duration::from_millis(30)));
    works("slowly");
    proxy.set(Fault::Pass);
    works("in the end");
}

#[test]
fn one_write_a_second_passes_to_each_path() {
    let (address, came) = engine();
    let proxy = Proxy::to(address);
    let agent = agent();
    proxy.set(Fault::OneWriteASecond);
    let put = |path: &str| {
        let mut answer = agent.put(format!("{}{path}", proxy.url())).send("x").unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    assert_eq!(put("/a").0, 200);
    let (status, body) = put("/a?x-id=PutObject");
    assert_eq!((status, body.contains("<Code>TooManyRequests</Code>")), (429, true));
    assert_eq!(put("/b").0, 200);
    agent.get(format!("{}/a", proxy.url())).call().unwrap();
    assert_eq!(came.lock().unwrap().len(), 3);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(put("/a").0, 200);
}

#[test]
fn what_holds_the_word_is_old() {
    let list = "<A><Key>x</Key><LastModified>2026-11-21</LastModified></A>\
                <A><Key>a-old-b</Key><UploadId>1</UploadId><Initiated>2026-11-21</Initiated></A>\
                <A><Key>y</Key><LastModified>2026-11-21</LastModified></A>";
    let mut bytes = list.as_bytes().to_vec();
    age(&mut bytes, "old");
    let aged = list.replace("<Initiated>2026", "<Initiated>2020");
    assert_eq!(String::from_utf8(bytes).unwrap(), aged);
}

#[test]
fn a_dropped_answer_is_of_a_request_that_took_effect() {
    let (address, came) = engine();
    let proxy = Proxy::to(address);
    let agent = agent();
    proxy.set(Fault::DropNextAnswer);
    agent.get(proxy.url()).call().unwrap();
    assert!(agent.put(format!("{}/x", proxy.url())).send("x").is_err());
    let put = |line: &&String| line.starts_with("PUT");
    assert_eq!(came.lock().unwrap().iter().filter(put).count(), 1);
    agent.put(format!("{}/x", proxy.url())).send("x").unwrap();
}

#[test]
fn a_request_that_hangs_ends_with_the_outage() {
    let (address, came) = engine();
    let proxy = Proxy::to(address);
    proxy.set(Fault::Hang);
    let url = proxy.url();
    let asked = std::thread::spawn(move || agent().get(url).call().is_err());
    // The request has arrived and is not answered: it ends when the connection is reset, and not before.
    while proxy.requests().is_empty() {
        std::thread::sleep(LOOK);
    }
    assert!(!asked.is_finished());
    proxy.set(Fault::Refuse);
    assert!(asked.join().unwrap());
    assert!(came.lock().unwrap().is_empty());
}

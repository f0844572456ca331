//! Rotation and outages, with a clock that stands still and a server that answers as it is told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex as Lock, mpsc};

use super::*;
use crate::jwt::keys::tests::set;

/// The server's answer to a request.
#[derive(Clone)]
enum Answer {
    /// A status and a body.
    With(u16, String),
    /// No answer, on a connection that stays open.
    Nothing,
}

/// An issuer's address, which is served while this value lives.
struct Issuer {
    url: String,
    answer: Arc<Lock<Answer>>,
    asked: Arc<AtomicUsize>,
    /// Ends the thread, which accepts one more connection and stops.
    end: Option<(mpsc::Sender<()>, std::thread::JoinHandle<()>)>,
}

impl Issuer {
    fn with(body: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(Lock::new(Answer::With(200, body.into())));
        let asked = Arc::new(AtomicUsize::new(0));
        let (end, ended) = mpsc::channel();
        let (told, count) = (Arc::clone(&answer), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                if ended.try_recv().is_ok() {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer = told.lock().unwrap().clone();
                match answer {
                    Answer::With(status, body) => reply(&stream, status, &body),
                    Answer::Nothing => kept.push(stream),
                }
            }
        });
        Self { url, answer, asked, end: Some((end, thread)) }
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn source(&self) -> KeySource {
        KeySource::open(&Jwks::Url(self.url.clone())).unwrap()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.end.take() {
            let _ = end.send(());
            let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
            let _ = thread.join();
        }
    }
}

fn reply(mut stream: &TcpStream, status: u16, body: &str) {
    let mut lines = BufReader::new(stream).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    // A client that has read enough closes the connection.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

/// Returns `true` if a key with this name is found.
async fn finds(source: &KeySource, id: &str) -> Result<bool, String> {
    let found = source.find(Some(id), Algorithm::EdDSA).await;
    found.map(|key| key.is_some()).map_err(|failure| failure.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_found_and_an_unknown_one_is_asked_for_every_30_seconds_at_most() {
    let issuer = Issuer::with(set("a"));
    let source = issuer.source();
    assert_eq!(issuer.asked(), 0);
    assert_eq!(finds(&source, "a").await, Ok(true));
    issuer.answers(Answer::With(200, set("b")));
    for _ in 0..3 {
        assert_eq!(finds(&source, "b").await, Ok(false));
        assert_eq!(finds(&source, "a").await, Ok(true));
    }
    assert_eq!(issuer.asked(), 1);
    tokio::time::advance(URL_PAUSE).await;
    assert_eq!(finds(&source, "b").await, Ok(true));
    assert_eq!(finds(&source, "a").await, Ok(false));
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_ask_once() {
    let issuer = Issuer::with(set("a"));
    let source = issuer.source();
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { finds(&source, "a").await })
        })
        .collect();
    for found in waiting {
        assert_eq!(found.await.unwrap(), Ok(true));
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn old_keys_are_refreshed_in_the_background_and_stay_in_use_through_an_outage() {
    let issuer = Issuer::with(set("a"));
    let source = issuer.source();
    assert_eq!(finds(&source, "a").await, Ok(true));
    issuer.answers(Answer::With(500, String::new()));
    tokio::time::advance(URL_AGE).await;
    assert_eq!(finds(&source, "a").await, Ok(true));
    // The background task holds this until it has read.
    while issuer.asked() < 2 {
        tokio::task::yield_now().await;
    }
    drop(source.0.reading.lock().await);
    assert_eq!(finds(&source, "a").await, Ok(true));
    assert_eq!(source.0.state.read().unwrap().failure.as_deref(), Some("it answers with status 500"));
    for (status, body) in [(200, "nonsense".to_owned()), (404, set("b")), (302, set("b"))] {
        issuer.answers(Answer::With(status, body));
        tokio::time::advance(URL_PAUSE).await;
        assert_eq!(finds(&source, "b").await, Ok(false), "{status}");
        assert_eq!(finds(&source, "a").await, Ok(true), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_good_for_a_minute_at_most() {
    let issuer = Issuer::with(set("a"));
    let source = issuer.source();
    assert_eq!(finds(&source, "a").await, Ok(true));
    issuer.answers(Answer::With(200, set("b")));
    tokio::time::advance(URL_AGE_WAITED_FOR).await;
    assert_eq!(finds(&source, "a").await, Ok(false), "nobody asked for a minute, and this waits");
    assert_eq!(finds(&source, "b").await, Ok(true));
    issuer.answers(Answer::With(200, "{\"keys\":[]}".into()));
    tokio::time::advance(URL_AGE_WAITED_FOR).await;
    assert_eq!(finds(&source, "b").await, Ok(false), "a set without keys is an answer");
    issuer.answers(Answer::With(200, set("c")));
    tokio::time::advance(URL_PAUSE).await;
    assert_eq!(finds(&source, "c").await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_read_again_are_dropped_after_a_quarter_of_an_hour() {
    let issuer = Issuer::with(set("a"));
    let source = issuer.source();
    assert_eq!(finds(&source, "a").await, Ok(true));
    issuer.answers(Answer::With(500, String::new()));
    tokio::time::advance(MAX_AGE.saturating_sub(Duration::from_secs(1))).await;
    assert_eq!(finds(&source, "a").await, Ok(true));
    tokio::time::advance(Duration::from_secs(1)).await;
    let error = finds(&source, "a").await.unwrap_err();
    assert!(error.contains("it answers with status 500"), "{error}");
    issuer.answers(Answer::With(200, set("a")));
    tokio::time::advance(URL_PAUSE).await;
    assert_eq!(finds(&source, "a").await, Ok(true));
}

/// Returns the health of an address that cannot be read: the seconds since it was, and whether its keys are in use.
async fn unread(source: &KeySource) -> Option<(Option<u64>, bool)> {
    let unread = source.unread().await?;
    assert_eq!((unread.source, &*unread.reason), (Credentials::Keys, "it answers with status 500"));
    Some((unread.read_seconds_ago, unread.is_in_use))
}

#[tokio::test(start_paused = true)]
async fn that_keys_cannot_be_read_is_said_with_their_age() {
    let issuer = Issuer::with(set("a"));
    let source = issuer.source();
    assert_eq!(unread(&source).await, None, "nobody asked yet");
    assert_eq!(finds(&source, "a").await, Ok(true));
    assert_eq!(unread(&source).await, None);
    issuer.answers(Answer::With(500, String::new()));
    tokio::time::advance(URL_PAUSE).await;
    assert_eq!(finds(&source, "b").await, Ok(false));
    assert_eq!(unread(&source).await, None, "the next read may make it good");
    tokio::time::advance(URL_PAUSE).await;
    assert_eq!(unread(&source).await, Some((Some(60), true)));
    tokio::time::advance(MAX_AGE - 2 * URL_PAUSE).await;
    assert_eq!(unread(&source).await, Some((Some(900), false)));
    issuer.answers(Answer::With(200, set("a")));
    assert_eq!(finds(&source, "a").await, Ok(true));
    assert_eq!(unread(&source).await, None);
    let never = Issuer::with("");
    never.answers(Answer::With(500, String::new()));
    let source = never.source();
    assert!(finds(&source, "a").await.is_err());
    assert_eq!(unread(&source).await, Some((None, false)));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_is_found_without_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, set("a")).unwrap();
    let source = KeySource::open(&Jwks::File(path.clone())).unwrap();
    std::fs::write(&path, "nonsense").unwrap();
    assert_eq!(source.unread().await, None, "it was looked at a moment ago");
    tokio::time::advance(FILE_AGE).await;
    let told = source.unread().await.unwrap();
    assert_eq!((told.read_seconds_ago, told.is_in_use), (Some(1), true));
    std::fs::write(&path, set("bb")).unwrap();
    tokio::time::advance(FILE_AGE).await;
    assert_eq!(source.unread().await, None);
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_it_is_a_failure_until_there_are() {
    let issuer = Issuer::with("");
    issuer.answers(Answer::With(503, String::new()));
    let source = issuer.source();
    let error = finds(&source, "a").await.unwrap_err();
    assert_eq!(error, "jwks: unavailable: no keys to check access tokens with: it answers with status 503");
    issuer.answers(Answer::With(200, set("a")));
    assert_eq!(finds(&source, "a").await, Err(error));
    assert_eq!(issuer.asked(), 1);
    tokio::time::advance(URL_PAUSE_WITHOUT_KEYS).await;
    assert_eq!(finds(&source, "a").await, Ok(true));
    let url = issuer.url.clone();
    drop(issuer);
    let gone = KeySource::open(&Jwks::Url(url)).unwrap();
    assert!(finds(&gone, "a").await.unwrap_err().starts_with("jwks: unavailable"));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_too_slow_or_too_long_is_given_up() {
    let issuer = Issuer::with(" ".repeat(MAX_JWKS_BYTES + 1) + &set("a"));
    let error = finds(&issuer.source(), "a").await.unwrap_err();
    assert!(error.contains("262144") || error.contains("limit"), "{error}");
    issuer.answers(Answer::Nothing);
    let place = KeyLocation::Url { url: issuer.url.clone(), timeout: Duration::from_millis(50) };
    let (reading, file) = (Mutex::new(()), Reading::default());
    let source = WatchedKeys { place, state: RwLock::default(), reading, file };
    let error = finds(&KeySource(Arc::new(source)), "a").await.unwrap_err();
    assert!(error.contains("timeout"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let open = || KeySource::open(&Jwks::File(path.clone()));
    assert!(open().unwrap_err().to_string().contains("keys.json cannot be used"));
    std::fs::write(&path, set("a")).unwrap();
    let source = open().unwrap();
    assert_eq!(finds(&source, "a").await, Ok(true));
    // The name has another length, because the file's modification time may not have changed.
    std::fs::write(&path, set("bb")).unwrap();
    assert_eq!(finds(&source, "a").await, Ok(true));
    assert_eq!(finds(&source, "bb").await, Ok(true));
    assert_eq!(finds(&source, "a").await, Ok(false));
    std::fs::write(&path, set("ccc")).unwrap();
    tokio::time::advance(FILE_AGE).await;
    assert_eq!(finds(&source, "bb").await, Ok(false));
    std::fs::write(&path, "nonsense").unwrap();
    assert_eq!(finds(&source, "bb").await, Ok(false));
    std::fs::remove_file(&path).unwrap();
    tokio::time::advance(FILE_AGE).await;
    assert_eq!(finds(&source, "ccc").await, Ok(true));
    std::fs::write(&path, "{\"keys\": []}").unwrap();
    tokio::time::advance(FILE_AGE).await;
    assert_eq!(finds(&source, "ccc").await, Ok(false), "all are withdrawn");
    std::fs::write(&path, set("dddd")).unwrap();
    assert_eq!(finds(&source, "dddd").await, Ok(true));
    std::fs::remove_file(&path).unwrap();
    tokio::time::advance(MAX_AGE).await;
    assert!(finds(&source, "dddd").await.is_err(), "nobody knows what is withdrawn");
}

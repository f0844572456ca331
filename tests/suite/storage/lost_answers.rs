//! A write that took effect but whose answer got lost: it is retried, and must not lose against itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use credlink_core::object::{Attributes, ObjectKey};
use credlink_ports::{Condition, FailureKind, Objects as _, Put};
use credlink_s3::{S3Objects, S3Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::buckets::{self, open, s3_settings};
use crate::engines::ministack;
use crate::engines::proxy::{Fault, Proxy};

/// A proxy that can lose one answer.
struct Forgetful {
    endpoint: String,
    loses_one: Arc<AtomicBool>,
}

impl Forgetful {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let loses_one = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&loses_one);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, Arc::clone(&flag)));
            }
        });
        Self { endpoint, loses_one }
    }

    /// Loses the answer to the next request.
    fn lose_one(&self) {
        self.loses_one.store(true, Ordering::SeqCst);
    }

    fn has_lost_it(&self) -> bool {
        !self.loses_one.load(Ordering::SeqCst)
    }
}

async fn pass(mut client: TcpStream, loses_one: Arc<AtomicBool>) {
    let address = ministack::endpoint().trim_start_matches("http://");
    let mut engine = TcpStream::connect(address).await.unwrap();
    if loses_one.load(Ordering::SeqCst) {
        let mut request = [0; 65_536];
        let mut answer = [0; 65_536];
        loop {
            tokio::select! {
                read = client.read(&mut request) => match read {
                    Ok(1..) if engine.write_all(&request[..*read.as_ref().unwrap()]).await.is_ok() => {}
                    _ => return,
                },
                _ = engine.read(&mut answer) => {
                    loses_one.store(false, Ordering::SeqCst);
                    return;
                }
            }
        }
    }
    // This test does not care if a side hangs up.
    let _ = copy_bidirectional(&mut client, &mut engine).await;
}

/// A new bucket through a proxy, and the same bucket directly.
async fn world() -> (Forgetful, S3Objects, S3Objects) {
    let direct = buckets::s3().await;
    let proxy = Forgetful::start().await;
    let settings = s3_settings(&direct.settings().bucket).at(&proxy.endpoint);
    (proxy, open(S3Settings { ..settings }), direct)
}

fn key() -> ObjectKey {
    "manifests/urn%3Ax".parse().unwrap()
}

async fn put(objects: &S3Objects, body: &'static str, condition: Condition) -> Put {
    objects.put(&key(), body.into(), &Attributes::default(), condition).await.unwrap()
}

#[tokio::test]
async fn a_write_that_was_kept_is_stored() {
    let (proxy, objects, direct) = world().await;
    proxy.lose_one();
    let Put::Stored(first) = put(&objects, "first", Condition::Absent).await else { panic!("it was kept") };
    assert!(proxy.has_lost_it());
    assert_eq!(direct.head(&key()).await.unwrap().unwrap().tag, first);

    // A new proxy, since an answer on a connection that is already open would not be lost.
    let (proxy, objects) = (Forgetful::start().await, objects.settings().clone());
    let objects = open(objects.at(&proxy.endpoint));
    proxy.lose_one();
    let second = put(&objects, "second", Condition::Matches(first.clone())).await;
    assert!(proxy.has_lost_it());
    let object = direct.get(&key()).await.unwrap().unwrap();
    assert_eq!((second, &object.body[..]), (Put::Stored(object.head.tag), &b"second"[..]));
}

#[tokio::test]
async fn a_rivals_write_is_not_taken_for_ones_own() {
    let (proxy, objects, direct) = world().await;
    // The bytes and attributes are identical: only the mark shows which write they came from.
    assert!(matches!(put(&direct, "same", Condition::Absent).await, Put::Stored(_)));
    proxy.lose_one();
    let attributes = Attributes::default();
    let failure = objects.put(&key(), "same".into(), &attributes, Condition::Absent).await.unwrap_err();
    assert!(proxy.has_lost_it());
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.message.contains("the answer to a write got lost"), "{failure}");
    assert_eq!(put(&objects, "same", Condition::Absent).await, Put::Lost);
}

/// A write took effect, its answer got lost, and the next attempt comes too soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_kept_and_is_throttled_then_is_stored() {
    let (forgetful, objects, direct) = world().await;
    let throttling = Proxy::to(forgetful.endpoint.trim_start_matches("http://").parse().unwrap());
    throttling.set(Fault::OneWriteASecond);
    let objects = open(objects.settings().clone().at(throttling.url()));
    forgetful.lose_one();
    let Put::Stored(first) = put(&objects, "first", Condition::Absent).await else { panic!("it was kept") };
    assert!(forgetful.has_lost_it());
    assert_eq!(direct.head(&key()).await.unwrap().unwrap().tag, first);
    let puts = throttling.requests().iter().filter(|seen| seen.method == "PUT").count();
    assert_eq!(puts, 3, "one was lost, one was throttled, and one found its own object");
}

/// A write that is throttled to the end either had no effect, or is not reported as throttled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_throttled_to_the_end_says_so_if_nothing_was_kept() {
    let (forgetful, objects, direct) = world().await;
    let throttling = Proxy::to(forgetful.endpoint.trim_start_matches("http://").parse().unwrap());
    throttling.set(Fault::OneWriteASecond);
    let mut settings = objects.settings().clone().at(throttling.url());
    settings.limits.operation = std::time::Duration::from_millis(1_200);
    let objects = open(settings);
    let attributes = Attributes::default();
    let write = async || objects.put(&key(), "x".into(), &attributes, Condition::Absent).await;
    forgetful.lose_one();
    assert_eq!(write().await.unwrap_err().kind, FailureKind::Unavailable, "it was kept");
    assert_eq!(direct.get(&key()).await.unwrap().unwrap().body, "x");
    assert_eq!(write().await.unwrap_err().kind, FailureKind::Throttled);
}

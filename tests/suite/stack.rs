//! `template.yaml` on a local AWS: with a function that echoes its request, which shows what the template promises, and
//! with the functions themselves.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_sqs::types::QueueAttributeName;
use bytes::Bytes;
use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use credlink_core::replica::Replica;
use credlink_ports::Objects as _;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::buckets;
use crate::clouds::functions::{event, response};
use crate::clouds::ground::{LINK_KEYS, everything};
use crate::engines::r2;
use crate::engines::stack::{ACCESS_KEY, Bootstraps, Engine, REGION, SECRET, Stack};
use crate::engines::unique;
use crate::http::api::{Api, BaseUrl};
use crate::http::ask::{json as request, media, with};
use crate::http::script::whole;
use crate::world::tokens;

/// The example `hello` of the package `credlink-lambdas`, which cargo builds before it runs any test.
fn hello() -> Bootstraps {
    let test = std::env::current_exe().expect("a test is a file");
    let profile =
        test.parent().and_then(|deps| deps.parent()).expect("it lies in deps, below the profile's folder");
    let hello: PathBuf = profile.join("examples/hello");
    assert!(
        hello.exists(),
        "{} is not there: cargo test --workspace, or cargo build --workspace --examples, builds it",
        hello.display()
    );
    Bootstraps::all(&hello)
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    // The template has no variable for an R2 other than Cloudflare's.
    ENGINE.get_or_init(|| Engine::start(&[("R2_ENDPOINT", r2::endpoint())]))
}

/// Deploys a stack whose callers have tokens, and whose links are signed.
fn of_several_tenants(name: &str) -> Stack<'_> {
    let (tokens_secret, keys_secret) = (format!("{name}-tokens"), format!("{name}-link-keys"));
    let parameters = [
        ("TokensSecret", tokens_secret.as_str()),
        ("LinkKeysSecret", keys_secret.as_str()),
        ("Tenants", "several"),
    ];
    let tokens = tokens::file();
    let secrets = [(tokens_secret.as_str(), tokens.as_str()), (keys_secret.as_str(), LINK_KEYS)];
    engine().deploy(name, Bootstraps::built(), &parameters, &secrets)
}

/// The status of the answer, and the function's description of the request that reached it.
fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    let agent =
        ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build();
    let agent = agent.new_agent();
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = agent.run(request.body(body).unwrap()).unwrap();
    (response.status().as_u16(), response.body_mut().read_to_vec().unwrap())
}

fn told(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let (status, body) = ask(method, url, headers, body);
    let text = String::from_utf8_lossy(&body);
    assert_eq!(status, 200, "{method} {url}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{method} {url}: {error}: {text}"))
}

/// The logical name of the function that answered. The engine names functions `stack-LogicalName-id`.
fn function(told: &Value) -> &str {
    told["function"].as_str().and_then(|name| name.rsplit('-').nth(1)).unwrap_or_default()
}

#[test]
fn requests_and_rights_of_a_deployed_stack() {
    let name = unique("tokens");
    let secret = format!("{name}-tokens");
    let parameters = [("TokensSecret", secret.as_str()), ("MetricsNamespace", "Mine")];
    let stack = engine().deploy(&name, &hello(), &parameters, &[(&secret, r#"[{"name":"x"}]"#)]);
    let url = stack.url();

    // A static token is not a JWT: the gateway lets it through, and the service checks it.
    let store =
        told("POST", &format!("{url}/v1/proofs"), &[("authorization", "Bearer abc")], b"\xff\x00binary");
    assert_eq!(store["method"], "POST");
    assert_eq!(store["body_bytes"], 8);
    assert_eq!(store["headers"]["authorization"], json!(["Bearer abc"]));
    assert_eq!(function(&store), "StoreFunction");
    assert_eq!(store["environment"]["STORAGE_BUCKET"], stack.output("BucketName"));
    assert_eq!(store["environment"]["CREDLINK_TABLE"], stack.output("TableName"));
    assert_eq!(store["environment"]["CREDLINK_QUEUE_URL"], stack.output("QueueUrl"));
    assert_eq!(store["environment"]["CREDLINK_FILES_QUEUE_URL"], stack.output("UploadsQueueUrl"));
    assert_eq!(store["environment"]["CREDLINK_PUBLIC_URL"], url);

    for (method, path, expected) in [
        ("PUT", "/v1/proofs/a", "StoreFunction"),
        ("POST", "/v1/manifests", "StoreFunction"),
        ("DELETE", "/v1/proofs/a", "DeleteFunction"),
        ("DELETE", "/v1/manifests/a", "DeleteFunction"),
        ("POST", "/v1/proofs/batch-delete", "DeleteFunction"),
        ("GET", "/v1/proofs", "RetrieveFunction"),
        ("GET", "/v1/proofs/a/url", "StoreFunction"),
        ("GET", "/v1/proofs/a/2", "RetrieveFunction"),
        ("GET", "/proofs/by-hash/00", "RetrieveFunction"),
        ("POST", "/v1/migrations", "StoreFunction"),
        ("GET", "/v1/migrations/a", "RetrieveFunction"),
        ("DELETE", "/v1/migrations/a", "DeleteFunction"),
        ("GET", "/v1/stats", "RetrieveFunction"),
        ("GET", "/health", "RetrieveFunction"),
        // A path that does not exist: the service says so, in its own form.
        ("GET", "/no/such/path", "RetrieveFunction"),
        ("PATCH", "/v1/proofs", "RetrieveFunction"),
        ("POST", "/v1/uploads", "StoreFunction"),
        ("POST", "/v1/uploads/a/complete", "StoreFunction"),
        ("GET", "/v1/uploads/a", "RetrieveFunction"),
        ("DELETE", "/v1/uploads/a", "DeleteFunction"),
        ("PATCH", "/v1/files/a", "FinaliseFunction"),
        ("POST", "/v1/files/a/renditions", "FinaliseFunction"),
        ("POST", "/v1/files/batch-delete", "DeleteFunction"),
        ("PUT", "/v1/entities/item/1/item-photo/only", "StoreFunction"),
        ("GET", "/media/a/original", "RetrieveFunction"),
    ] {
        let body: &[u8] = if method == "GET" { b"" } else { b"{}" };
        let told = told(method, &format!("{url}{path}"), &[], body);
        assert_eq!((&told["method"], function(&told)), (&json!(method), expected), "{path}");
    }
    let (status, body) = ask("HEAD", &format!("{url}/v1/manifests/a"), &[], b"");
    assert_eq!((status, body.len()), (200, 0));

    let read = told("GET", &format!("{url}/v1/manifests/urn%3Ac2pa%3Ax?a=%2F1&b=x%20y"), &[], b"");
    let uri = read["uri"].as_str().unwrap();
    assert!(uri.ends_with("/v1/manifests/urn:c2pa:x?a=%2F1&b=x%20y"), "{uri}");
    let (_, bytes) = ask("GET", &format!("{url}/v1/manifests/a?bytes=300000"), &[], b"");
    assert!(
        bytes.len() == 300_000 && bytes.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8 | 0x80)
    );

    // One line per role: exactly those actions of the script that the role allows. A read of a missing object is
    // answered as an absence (`NoSuchKey`), because every role that reads may also list.
    insta::assert_snapshot!(stack.rights(), @r"
    StoreRole: put get get-absent=NoSuchKey list delete row update transaction scan query-table send put-record send-upload
    RetrieveRole: get get-absent=NoSuchKey list row rows update transaction query-tenant query-table send get-media
    DeleteRole: put get get-absent=NoSuchKey list delete row update transaction delete-row scan query-table send put-record
    MigrateRole: put get get-absent=NoSuchKey list delete row rows update transaction scan send receive put-record put-media get-media delete-media
    FinaliseRole: put get get-absent=NoSuchKey list delete row update transaction scan send put-record put-media get-media delete-media receive-upload
    CleanupRole: put get get-absent=NoSuchKey list list-uploads delete row rows update transaction scan query-due query-table send put-record get-media delete-media send-upload
    ");
}

#[test]
fn a_gateway_that_asks_for_a_jwt_keeps_out_what_is_none() {
    let issuer = [
        ("JwtIssuer", "https://issuer.invalid/"),
        ("JwtAudience", "credlink"),
        ("JwksUrl", "https://issuer.invalid/jwks"),
    ];
    let stack = engine().deploy(&unique("jwt"), &hello(), &issuer, &[]);
    for (method, path, status) in [
        ("POST", "/v1/proofs", 401),
        ("PUT", "/v1/proofs/a", 401),
        ("DELETE", "/v1/manifests/a", 401),
        ("GET", "/v1/proofs/a/url", 401),
        ("HEAD", "/v1/stats", 401),
        ("GET", "/v1/proofs/a", 200),
        ("HEAD", "/v1/manifests/a", 200),
        ("GET", "/v1/proofs?limit=1", 200),
        ("GET", "/v1/health", 200),
    ] {
        let body: &[u8] = if matches!(method, "GET" | "HEAD") { b"" } else { b"{}" };
        let (answered, _) =
            ask(method, &format!("{}{path}", stack.url()), &[("authorization", "Bearer x.y.z")], body);
        assert_eq!(answered, status, "{method} {path}");
    }
}

#[test]
fn parameters_that_do_not_fit_each_other_are_refused_in_words() {
    let tokens = ("TokensSecret", "tokens");
    for (parameters, words) in [
        (&[][..], "Set JwtIssuer or TokensSecret."),
        (&[("JwtIssuer", "https://issuer.invalid/")], "With JwtIssuer, set JwtAudience too."),
        (&[tokens, ("FallbackProvider", "r2")], "With the fallback r2, set R2AccountId."),
        (&[tokens, ("GatewayAddress", "off"), ("PublicUrl", "")], "With GatewayAddress off, set PublicUrl."),
        (&[tokens, ("PublicUrl", "https://a.example/path")], "https:// and a host, without a path"),
    ] {
        let refused = engine().try_deploy(&unique("refused"), &hello(), parameters, &[]);
        let error = refused.err().unwrap_or_default();
        assert!(error.contains(words), "{parameters:?}: {error}");
    }
}

/// The API of a deployed stack.
struct Deployed<'a> {
    api: BaseUrl,
    stack: &'a Stack<'a>,
    /// Set once something has changed since the function behind GET was published.
    changed: AtomicBool,
}

impl Api for Deployed<'_> {
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if reads && self.changed.swap(false, Ordering::Relaxed) {
            // A process that was started before the last change may answer from its cache for a minute.
            self.stack.renew("RetrieveFunctionArn");
        }
        if request.uri().path() == "/v1/stats" {
            // A process that commits often writes its sums only every ten seconds; they are corrected after a walk.
            let_a_walk_be_due(self.stack).await;
            let done = self.stack.invoke("CleanupFunctionArn", &json!({})).unwrap();
            assert_eq!((&done["failed"], &done["recounted"]), (&json!(0), &json!(true)), "{done}");
        }
        // Requests that the engine's gateway does not pass on: see `engines::stack`.
        let by_hand = match *request.method() {
            Method::OPTIONS => Some("RetrieveFunctionArn"),
            Method::POST if request.headers().contains_key(CONTENT_ENCODING) => Some("StoreFunctionArn"),
            _ => None,
        };
        let mut response = match by_hand {
            Some(function) => response(&self.stack.invoke(function, &event(&request)).unwrap()),
            None => self.api.send(request).await,
        };
        if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            response.headers_mut().remove(CONTENT_TYPE);
        }
        if !reads && response.status().is_success() {
            self.changed.store(true, Ordering::Relaxed);
        }
        response
    }

    fn base(&self) -> &str {
        self.api.base()
    }

    async fn wait_seconds(&self, seconds: u64) {
        self.api.wait_seconds(seconds).await;
    }
}

#[tokio::test]
async fn the_api_answers_as_written_down_on_a_deployed_stack() {
    let name = unique("api");
    let stack = of_several_tenants(&name);
    let api = BaseUrl::new(stack.url());
    whole(&Deployed { api, stack: &stack, changed: AtomicBool::new(false) }).await;
}

fn config() -> aws_config::SdkConfig {
    aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .http_client(credlink_aws::http_client())
        .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(
            aws_credential_types::Credentials::new(ACCESS_KEY, SECRET, None, None, "tests"),
        ))
        .endpoint_url(engine().endpoint())
        .region(aws_config::Region::new(REGION))
        .build()
}

fn queues() -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&config())
}

/// Makes the next scheduled run walk, as it does a week after the last walk.
async fn let_a_walk_be_due(stack: &Stack<'_>) {
    let bookmark = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let deleted = aws_sdk_dynamodb::Client::new(&config())
        .delete_item()
        .table_name(stack.output("TableName"))
        .key("pk", bookmark("JOB#walked"))
        .key("sk", bookmark("BOOKMARK"))
        .send();
    deleted.await.unwrap();
}

/// Repeats `ask` until there is an answer, since the engine polls its queues every second.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..900 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{what}")
}

#[tokio::test]
async fn what_the_queue_holds_is_replicated_and_poison_ends_in_the_dead_letter_queue() {
    let name = unique("queue");
    let (tokens_secret, r2_secret) = (format!("{name}-tokens"), format!("{name}-r2"));
    let bucket = buckets::r2().await;
    let parameters = [
        ("TokensSecret", tokens_secret.as_str()),
        ("FallbackProvider", "r2"),
        ("R2AccountId", "0123456789abcdef0123456789abcdef"),
        ("R2Bucket", &bucket.settings().bucket),
        ("R2CredentialsSecret", &r2_secret),
        ("WorkAttempts", "2"),
    ];
    let r2 = json!({"access_key_id": r2::ACCESS_KEY, "secret_access_key": r2::SECRET}).to_string();
    let tokens = tokens::file();
    let secrets = [(tokens_secret.as_str(), tokens.as_str()), (r2_secret.as_str(), &r2)];
    let stack = engine().deploy(&name, Bootstraps::built(), &parameters, &secrets);

    let body = json!({"media_hash": media("x").to_string(), "manifest": {"a": 1}});
    let store = request(Method::POST, "/v1/proofs", &body);
    let store = with(store, AUTHORIZATION, format!("Bearer {}", tokens::SIGNER));
    let stored = BaseUrl::new(stack.url()).send(store).await;
    assert_eq!(stored.status(), 201, "{:?}", stored.body());
    let held = everything(&bucket).await;
    assert_eq!(held.len(), 1, "the function writes to both");
    let key: ObjectKey = held[0].0.parse().unwrap();
    bucket.delete(&key).await.unwrap();

    let (queue, url) = (queues(), stack.output("QueueUrl"));
    // Twelve minutes between attempts are too long for a test.
    let visible = queue.set_queue_attributes().queue_url(url);
    visible.attributes(QueueAttributeName::VisibilityTimeout, "1").send().await.unwrap();
    let work = Work::Replicate { to: Replica::Fallback, keys: vec![key], mark: None };
    let message = Message { request_id: "r-1".to_owned(), work }.to_string();
    for body in [message.as_str(), "no message"] {
        queue.send_message().queue_url(url).message_body(body).send().await.unwrap();
    }
    let again = eventually("nothing was replicated", async || {
        Some(everything(&bucket).await).filter(|held| !held.is_empty())
    });
    assert_eq!(again.await, held);
    let dead = eventually("the message is not given up", async || {
        let received = queue.receive_message().queue_url(stack.output("DeadLetterQueueUrl"));
        received.send().await.unwrap().messages.and_then(|messages| messages.into_iter().next())
    });
    assert_eq!(dead.await.body(), Some("no message"));
}

/// The whole way of a file: the function signs an address, the bucket sends its event, the queue invokes the finaliser, and
/// the reader is sent to the bucket.
#[tokio::test]
async fn an_upload_becomes_a_file_on_a_deployed_stack() {
    let name = unique("files");
    let stack = of_several_tenants(&name);
    let authorization = format!("Bearer {}", tokens::OWNER);
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let picture = crate::files::pictures::png(1_000, 500, 9);
    let body = json!({"collection": "item-photo", "type": "image/png", "size": picture.len()}).to_string();
    let url = stack.url().to_owned();
    let (status, upload) = ask("POST", &format!("{url}/v1/uploads"), &headers, body.as_bytes());
    let upload: Value = serde_json::from_slice(&upload).unwrap();
    assert_eq!(status, 201, "{upload}");
    let put = &upload["put"];
    let signed: Vec<(&str, &str)> = put["headers"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "content-length")
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let (status, answer) = ask("PUT", put["url"].as_str().unwrap(), &signed, &picture);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let path = format!("{url}/v1/uploads/{}", upload["id"].as_str().unwrap());
    let state = eventually("the upload does not become a file", async || {
        let (status, state) = ask("GET", &path, &headers[..1], b"");
        let state: Value = serde_json::from_slice(&state).unwrap();
        assert_eq!(status, 200, "{state}");
        (state["state"] == "ready" || state["state"] == "rejected").then_some(state)
    });
    let state = state.await;
    assert_eq!(state["state"], "ready", "{state}");
    // The redirect is followed.
    let path = format!("{url}/media/{}/medium.webp", state["file"].as_str().unwrap());
    let (status, bytes) = ask("GET", &path, &[], b"");
    assert_eq!((status, crate::files::pictures::measured(&bytes)), (200, (800, 400, "image/webp")));
}

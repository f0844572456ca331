//! Files that functions keep: the real binaries over a bucket whose events ministack sends to a queue, as S3 does.
//!
//! `flows` takes files through their life, `kills` ends the finaliser between its steps, and `races` has messages that come
//! twice and in any order, and uploads that are given up meanwhile. `scanned` has a bucket that GuardDuty protects, and `signed` renditions with signed manifests. Messages are taken out of the queue here, and handed to
//! the function as Lambda does; `stack` leaves that to the engine.

mod flows;
mod kills;
mod races;
mod scanned;
mod signed;

use std::time::Duration;

use aws_sdk_s3::types::{
    Event, FilterRule, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter,
    QueueConfiguration, S3KeyFilter,
};
use aws_sdk_sqs::types::QueueAttributeName;
use bytes::Bytes;
use credlink_aws::sqs::SqsQueue;
use credlink_core::file::UploadId;
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::row::{QuotaRow, Row, RowKey, State, UploadRow};
use credlink_core::time::Timestamp;
use credlink_ports::{Commit, Index as _, Listing, Objects as _, Write};
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::cleanup::scheduled;
use super::functions::{RUN, event, response};
use super::ground::Ground;
use super::migrate::{TIME_LIMIT, batch_of};
use super::rights::Watch;
use super::routes;
use crate::buckets::raw;
use crate::engines::runtime::Function;
use crate::engines::sqs;
use crate::http::ask::{ask, json as with_body, with};
use crate::http::contract::CONTRACT;
use crate::world::tokens;

/// A deployment of functions that keep files.
struct Site {
    ground: Ground,
    uploads: SqsQueue,
    /// Variables besides those of the ground.
    own: Vec<(String, String)>,
    watch: Option<Watch>,
    store: Function,
    delete: Function,
}

/// A queue to which `bucket` sends its events about uploads.
async fn told_by(bucket: &str) -> SqsQueue {
    let queue = sqs::queue().await;
    let attributes = queue.client().get_queue_attributes().queue_url(queue.url());
    let attributes = attributes.attribute_names(QueueAttributeName::QueueArn).send().await.unwrap();
    let arn = attributes.attributes().unwrap()[&QueueAttributeName::QueueArn].clone();
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
    }]});
    let set = queue.client().set_queue_attributes().queue_url(queue.url());
    set.attributes(QueueAttributeName::Policy, policy.to_string()).send().await.unwrap();
    let prefix = FilterRule::builder().name(FilterRuleName::Prefix).value("uploads/").build();
    let filter = S3KeyFilter::builder().filter_rules(prefix).build();
    let told = QueueConfiguration::builder()
        .queue_arn(arn)
        .events(Event::S3ObjectCreatedPut)
        .events(Event::S3ObjectCreatedCompleteMultipartUpload)
        .filter(NotificationConfigurationFilter::builder().key(filter).build())
        .build();
    let told = NotificationConfiguration::builder().queue_configurations(told.unwrap()).build();
    let put = raw().put_bucket_notification_configuration().bucket(bucket);
    put.notification_configuration(told).send().await.unwrap();
    queue
}

impl Site {
    async fn new(own: &[(&str, &str)]) -> Self {
        Self::with(own, None).await
    }

    /// A deployment whose calls to AWS are compared with the rights of the functions' roles.
    async fn watched() -> Self {
        let ground = Ground::plain().await;
        let watch = Watch::over(&ground.s3.settings().bucket);
        Self::over(ground, &[], Some(watch)).await
    }

    async fn with(own: &[(&str, &str)], watch: Option<Watch>) -> Self {
        Self::over(Ground::plain().await, own, watch).await
    }

    async fn over(ground: Ground, own: &[(&str, &str)], watch: Option<Watch>) -> Self {
        let uploads = told_by(&ground.s3.settings().bucket).await;
        let mut own: Vec<(String, String)> =
            own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        own.push(("CREDLINK_FILES_QUEUE_URL".to_owned(), uploads.url().to_owned()));
        own.push(("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(), "1769".to_owned()));
        let start = |name| start(name, &ground, &own, watch.as_ref(), &[]);
        let (store, delete) = (start("store"), start("delete"));
        Self { ground, uploads, own, watch, store, delete }
    }

    /// A new process of a function.
    fn start(&self, name: &str) -> Function {
        self.start_with(name, &[])
    }

    /// A new process of a function, some of whose variables differ.
    fn start_with(&self, name: &str, others: &[(&str, String)]) -> Function {
        start(name, &self.ground, &self.own, self.watch.as_ref(), others)
    }

    /// Sends a request with the token of the owner to the function to which `template.yaml` routes it.
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.send_as(Some(tokens::OWNER), request).await
    }

    async fn send_as(&self, token: Option<&str>, request: Request<Bytes>) -> Response<Bytes> {
        let request = match token {
            Some(token) => with(request, AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = match routes::function(&method, &path) {
            "store" => self.store.invoke(event(&request)).await,
            "delete" => self.delete.invoke(event(&request)).await,
            // A new process has nothing in its cache.
            other => self.start(other).invoke(event(&request)).await,
        };
        let answer = response(&answer.unwrap_or_else(|error| panic!("{method} {path}: {error}")));
        CONTRACT.check(&request, &answer);
        answer
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.send(ask(Method::GET, path)).await;
        assert_eq!(answer.status(), 200, "{path}: {:?}", answer.body());
        parsed(&answer)
    }

    /// Announces an upload, and returns its document.
    async fn announce(&self, collection: &str, kind: &str, size: usize, more: &Value) -> Value {
        let mut body = json!({"collection": collection, "type": kind, "size": size});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let answer = self.send(with_body(Method::POST, "/v1/uploads", &body)).await;
        assert_eq!(answer.status(), 201, "{:?}", answer.body());
        parsed(&answer)
    }

    /// Announces an upload of a picture and sends its bytes to the bucket. Returns its ID.
    async fn upload(&self, picture: &[u8], more: &Value) -> String {
        let announced = self.announce("item-photo", "image/png", picture.len(), more).await;
        assert_eq!(put(&announced["put"], picture.to_vec()).await, 200, "{announced}");
        announced["id"].as_str().unwrap().to_owned()
    }

    async fn state(&self, upload: &str) -> Value {
        self.get(&format!("/v1/uploads/{upload}")).await
    }

    /// Takes the messages out of the queue of uploads, and returns their bodies, once there is one with this word.
    async fn messages(&self, word: &str) -> Vec<String> {
        let (client, url) = (self.uploads.client(), self.uploads.url());
        let mut bodies: Vec<String> = Vec::new();
        for _ in 0..600 {
            let received = client.receive_message().queue_url(url).max_number_of_messages(10);
            for message in received.send().await.unwrap().messages() {
                bodies.push(message.body().unwrap().to_owned());
                let delete = client.delete_message().queue_url(url);
                delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
            }
            if bodies.iter().any(|body| body.contains(word)) {
                return bodies;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no message has {word}: {bodies:?}")
    }

    /// Runs the scheduled function.
    async fn clean_up(&self) -> Value {
        let done = self.start("cleanup").invoke_within(RUN, scheduled()).await;
        done.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn row(&self, upload: &str) -> UploadRow {
        let id: UploadId = upload.parse().unwrap();
        self.ground.index.get(&RowKey::Upload(id)).await.unwrap().and_then(Row::upload).unwrap()
    }

    /// Lets the time pass until the sweeper looks at an upload.
    async fn let_be_due(&self, upload: &str) {
        let row = self.row(upload).await;
        let long_ago = Timestamp::from_milliseconds(1);
        self.commit(Row::Upload(UploadRow { expires: long_ago, ..row.in_state(row.state, long_ago) })).await;
    }

    async fn commit(&self, row: Row) {
        let write = Write { expected: row.version().checked_sub(1), row };
        assert_eq!(self.ground.index.commit(&[write]).await.unwrap(), Commit::Done);
    }

    async fn rows(&self) -> Vec<Row> {
        self.ground.index.list(&Listing::All, None, 1_000).await.unwrap().unwrap().items
    }

    /// The quota of the tenant: bytes used and reserved, files and uploads.
    async fn quota(&self) -> (u64, u64, u64, u64) {
        let key = RowKey::Quota(Default::default(), None);
        let row = self.ground.index.get(&key).await.unwrap().and_then(Row::quota);
        let QuotaRow { used, reserved, files, uploads, .. } =
            row.unwrap_or_else(|| QuotaRow::empty(Default::default(), None));
        (used, reserved, files, uploads)
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        let page = self.ground.s3.list(prefix, None, 1_000).await.unwrap();
        page.items.into_iter().map(|listed| listed.key).collect()
    }

    /// Asserts that each live file has its objects, that each object of files has a row, and that the quotas count the files.
    async fn assert_sound(&self, when: &str) {
        let (mut files, mut bytes) = (0, 0);
        for row in self.rows().await.into_iter().filter_map(Row::file) {
            if row.state != State::Live {
                continue;
            }
            (files, bytes) = (files + 1, bytes + row.bytes);
            let blob = self.ground.index.get(&RowKey::Blob(row.blob())).await.unwrap();
            let blob = blob.and_then(Row::blob).unwrap();
            assert!(blob.state == State::Live && blob.holders > 0, "{when}: {blob:?}");
            let renditions = blob.renditions.iter().map(|name| MediaKey::Rendition(row.blob(), name.clone()));
            for key in [MediaKey::File(row.id), MediaKey::Original(row.blob())].into_iter().chain(renditions)
            {
                let key = ObjectKey::Media(key);
                assert!(self.ground.s3.head(&key).await.unwrap().is_some(), "{when}: {key} is absent");
            }
        }
        for prefix in [MediaKey::MEDIA, MediaKey::FILES] {
            for key in self.keys(prefix).await {
                let row = key.parse::<ObjectKey>().unwrap().row();
                assert!(self.ground.index.get(&row).await.unwrap().is_some(), "{when}: {key} has no row");
            }
        }
        let (used, _, counted, _) = self.quota().await;
        assert_eq!((used, counted), (bytes, files), "{when}");
    }
}

fn start(
    name: &str,
    ground: &Ground,
    own: &[(String, String)],
    watch: Option<&Watch>,
    others: &[(&str, String)],
) -> Function {
    let mut variables = ground.variables(name);
    let watched = watch.map(|watch| watch.variables(name)).unwrap_or_default();
    let others: Vec<_> = others.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    for own in [own, &watched, &others] {
        variables.retain(|(name, _)| own.iter().all(|(known, _)| known != name));
        variables.extend_from_slice(own);
    }
    Function::start(name, &variables)
}

/// Hands messages to the finaliser, each in a batch of its own, and returns those that failed.
async fn finalise(finaliser: &Function, messages: &[String]) -> Vec<String> {
    let mut failed = Vec::new();
    for body in messages {
        let batch = batch_of([("m", body.as_str(), 1)].into_iter());
        let done = finaliser.invoke_within(TIME_LIMIT, batch).await;
        let done = done.unwrap_or_else(|error| panic!("the batch failed as a whole: {error}"));
        if !done["batchItemFailures"].as_array().unwrap().is_empty() {
            failed.push(body.clone());
        }
    }
    failed
}

fn parsed(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_default()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent()
}

/// Sends bytes to a signed address, and returns the status.
async fn put(address: &Value, bytes: Vec<u8>) -> u16 {
    let mut request = Request::put(address["url"].as_str().unwrap());
    for (name, value) in address["headers"].as_object().unwrap() {
        if name != "content-length" {
            request = request.header(name, value.as_str().unwrap());
        }
    }
    let request = request.body(bytes).unwrap();
    let run = move || agent().run(request).unwrap().status().as_u16();
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Follows a redirect as a browser does, without the credential.
async fn follow(answer: &Response<Bytes>, method: Method) -> Response<Vec<u8>> {
    assert_eq!(answer.status(), 307, "{:?}", answer.body());
    assert!(answer.body().is_empty());
    let url = answer.headers()[http::header::LOCATION].to_str().unwrap().to_owned();
    let run = move || {
        let mut answer = agent().run(Request::builder().method(method).uri(url).body(()).unwrap()).unwrap();
        let body = answer.body_mut().with_config().limit(256_000_000).read_to_vec().unwrap();
        answer.map(|_| body)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// An upload into a list.
fn of_item() -> Value {
    json!({"entity": {"type": "item", "id": "1"}})
}

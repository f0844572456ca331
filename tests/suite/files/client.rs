//! A client of uploads and files.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::http::contract::CONTRACT;

/// An answer: its status, its headers and its body.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The kind of problem: the last part of its type.
    pub fn problem(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.rsplit(':').next().unwrap_or_default().to_owned()
    }
}

/// A client with a credential, or without one.
#[derive(Clone)]
pub struct Client {
    pub url: String,
    pub token: Option<String>,
    agent: ureq::Agent,
}

impl Client {
    pub fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(120)));
        Self { url: url.to_owned(), token: None, agent: config.build().new_agent() }
    }

    pub fn with_token(url: &str, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::new(url) }
    }

    /// Sends a request to a path of the server, or to a whole URL. Returns `None` if the server is gone.
    pub fn try_to_send(
        &self,
        method: &Method,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let url =
            if target.starts_with("http") { target.to_owned() } else { format!("{}{target}", self.url) };
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !body.is_empty() && headers.iter().all(|(name, _)| *name != "content-type") {
            request = request.header("content-type", "application/octet-stream");
        }
        let request = request.body(body.to_vec()).unwrap();
        let mut response = self.agent.run(request.clone()).ok()?;
        let body = response.body_mut().with_config().limit(256_000_000).read_to_vec().ok()?;
        let answer = response.map(|_| Bytes::from(body));
        // Every exchange is as documented.
        CONTRACT.check(&request.map(Bytes::from), &answer);
        let (parts, body) = answer.into_parts();
        Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.into() })
    }

    pub fn send(&self, method: &Method, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = self.try_to_send(method, target, headers, body);
        answer.unwrap_or_else(|| panic!("{method} {target}: the server is gone"))
    }

    pub fn get(&self, target: &str) -> Answer {
        self.send(&Method::GET, target, &[], &[])
    }

    pub fn delete(&self, target: &str) -> Answer {
        self.send(&Method::DELETE, target, &[], &[])
    }

    pub fn json(&self, method: &Method, target: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send(method, target, &headers, body.to_string().as_bytes())
    }

    pub fn post(&self, target: &str, body: &Value) -> Answer {
        self.json(&Method::POST, target, &[], body)
    }

    /// Announces an upload, with further members.
    pub fn announce(&self, collection: &str, kind: &str, size: usize, more: &Value) -> Answer {
        let mut body = json!({"collection": collection, "type": kind, "size": size});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.post("/v1/uploads", &body)
    }

    /// Sends all bytes of an announced upload. The address is the only credential.
    pub fn put(&self, announced: &Value, bytes: &[u8]) -> Answer {
        let url = announced["put"]["url"].as_str().unwrap_or_else(|| panic!("no address: {announced}"));
        Self::new(&self.url).send(&Method::PUT, url, &[], bytes)
    }

    /// Announces an upload and sends its bytes. Returns the ID of the upload.
    pub fn upload(&self, collection: &str, kind: &str, bytes: &[u8], more: &Value) -> String {
        let announced = self.announce(collection, kind, bytes.len(), more);
        assert_eq!(announced.status, 201, "{}", announced.json());
        let sent = self.put(&announced.json(), bytes);
        assert_eq!(sent.status, 204, "{}", sent.json());
        announced.json()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until an upload has ended, and returns its document.
    pub fn ended(&self, upload: &str) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.get(&format!("/v1/uploads/{upload}"));
            assert_eq!(answer.status, 200, "{}", answer.json());
            let document = answer.json();
            if ["ready", "rejected", "expired"].iter().any(|state| document["state"] == *state) {
                return document;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "it does not end: {document}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Uploads a file, and returns its ID.
    pub fn file(&self, collection: &str, kind: &str, bytes: &[u8], more: &Value) -> String {
        let upload = self.upload(collection, kind, bytes, more);
        let ended = self.ended(&upload);
        assert_eq!(ended["state"], "ready", "{ended}");
        ended["file"].as_str().unwrap().to_owned()
    }

    /// Uploads something that is rejected, and returns the reason.
    pub fn rejected(&self, collection: &str, kind: &str, bytes: &[u8], more: &Value) -> String {
        let ended = self.ended(&self.upload(collection, kind, bytes, more));
        assert_eq!(ended["state"], "rejected", "{ended}");
        ended["reason"].as_str().unwrap().to_owned()
    }

    /// The IDs in the list of an entity, and its `ETag`.
    pub fn list(&self, place: &str) -> (Vec<String>, String) {
        let answer = self.get(&format!("/v1/entities/{place}"));
        assert_eq!(answer.status, 200, "{}", answer.json());
        let files = answer.json()["files"].as_array().unwrap().clone();
        let ids = files.iter().map(|file| file["id"].as_str().unwrap().to_owned()).collect();
        (ids, answer.header("etag").to_owned())
    }
}

//! A stand-in for AWS KMS, with one key of P-256: it signs what a client asks for as KMS does, and records what KMS would not
//! accept.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::engines::stand_in::StandIn;

/// The name of the key.
pub(super) const ARN: &str = "arn:aws:kms:eu-central-1:123456789012:alias/renditions";

#[derive(Debug, Default)]
struct Seen {
    signed: usize,
    wrong: Vec<String>,
}

/// The stand-in, which runs on a port of its own until it is dropped.
#[derive(Debug)]
pub(super) struct Kms {
    server: StandIn,
    seen: Arc<Mutex<Seen>>,
}

impl Kms {
    /// Starts KMS with a key in PEM, or with one that is disabled.
    pub(super) fn start(key: Option<&str>) -> Self {
        let key = key.map(|pem| SigningKey::from_pkcs8_pem(pem).unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let notes = Arc::clone(&seen);
        Self { server: StandIn::start(move |listener| accept(listener, key, notes)), seen }
    }

    /// The variables of a program that uses this KMS.
    pub(super) fn variables(&self) -> [(&str, &str); 5] {
        [
            ("CREDLINK_SIGN_KEY", ARN),
            ("AWS_ENDPOINT_URL_KMS", self.server.url()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
    }

    /// The number of signatures. Asserts that all calls were as KMS wants them.
    pub(super) fn signed(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.wrong, [""; 0]);
        seen.signed
    }
}

async fn accept(listener: TcpListener, key: Option<SigningKey>, seen: Arc<Mutex<Seen>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (key, seen) = (key.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, key.as_ref(), &seen));
            // A client that disconnects midway is ignored.
            let server = hyper::server::conn::http1::Builder::new();
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    key: Option<&SigningKey>,
    seen: &Mutex<Seen>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (status, body) = match (digest(&parts.headers, &body), key) {
        (Err(why), _) => {
            seen.lock().unwrap().wrong.push(why.clone());
            (400, json!({"__type": "ValidationException", "message": why}))
        }
        (Ok(_), None) => {
            (400, json!({"__type": "DisabledException", "message": format!("{ARN} is disabled.")}))
        }
        (Ok(digest), Some(key)) => {
            let signature: Signature = key.sign_prehash(&digest).unwrap();
            seen.lock().unwrap().signed += 1;
            let signature = STANDARD.encode(signature.to_der());
            (200, json!({"KeyId": ARN, "Signature": signature, "SigningAlgorithm": "ECDSA_SHA_256"}))
        }
    };
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    Ok(response.body(Full::new(Bytes::from(body.to_string()))).unwrap())
}

/// The digest that is to be signed, or what is wrong with the request.
fn digest(headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("x-amz-target") != "TrentService.Sign" {
        return Err(format!("the operation is {}", header("x-amz-target")));
    }
    if !header("authorization").contains("/eu-central-1/kms/aws4_request") {
        return Err("the request is not signed for KMS in the region of the key".to_owned());
    }
    let asked: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    for (member, expected) in
        [("KeyId", ARN), ("MessageType", "DIGEST"), ("SigningAlgorithm", "ECDSA_SHA_256")]
    {
        if asked[member] != expected {
            return Err(format!("{member} is {}", asked[member]));
        }
    }
    let digest = STANDARD.decode(asked["Message"].as_str().unwrap_or_default());
    digest
        .ok()
        .filter(|digest| digest.len() == 32)
        .ok_or_else(|| format!("the message is {}", asked["Message"]))
}

//! A request: a request line, headers and a body, as text. Nothing in it makes the rules panic, a problem always names
//! the fault, and an answer never promises bytes that do not exist.

#![no_main]

use credlink_core::access::Caller;
use credlink_core::bounds::{MAX_PAGE, MAX_TARGET_BYTES};
use credlink_core::encoding::at_rest;
use credlink_core::hash::Digest;
use credlink_core::http::conditional::check_write;
use credlink_core::http::reply::Body;
use credlink_core::http::route::{Form, Proofs, Reads, Route};
use credlink_core::link::{LinkKey, LinkKeys, path};
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::rules::batch_delete::BatchDeleteBody;
use credlink_core::rules::retrieve::Lookup;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

/// The length of the content that is read, in bytes.
const LENGTH: u64 = 1_000;

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts.next().and_then(|value| HeaderValue::from_bytes(value.trim_ascii()).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    body(&lines.collect::<Vec<_>>().join(&b'\n'));
    let _ = check_write(&headers, &Digest::of(b"current"));

    let Ok(first) = str::from_utf8(first) else { return };
    let (method, target) = first.split_once(' ').unwrap_or(("GET", first));
    let Ok(method) = method.parse::<Method>() else { return };
    let (target_path, query) = target.split_once('?').unwrap_or((target, ""));
    match Route::parse(&method, target_path, query) {
        Ok(Route::Reads(Reads::Object { key, signature, form })) => {
            let keys = LinkKeys { current: key_of(1), previous: Some(key_of(2)) };
            if let Some(signature) = &signature {
                assert!(signature.verify(&keys, &key, now()).is_err(), "nobody guesses a signature");
            }
            let again = Route::parse(&Method::GET, &path(&key), "").expect("the path of a key is a path");
            assert_eq!(
                again,
                Route::Reads(Reads::Object { key: key.clone(), signature: None, form: Form::Content }),
                "and names the key"
            );
            read(&key, form, &method, &headers, &keys);
        }
        Ok(Route::Proofs(Proofs::List { limit, .. })) => assert!((1..=MAX_PAGE).contains(&limit)),
        Ok(route) => assert!(!route.name().is_empty()),
        Err(problem) => {
            assert!(problem.kind.status().is_client_error() && !problem.detail.is_empty());
            assert!(problem.detail.len() < MAX_TARGET_BYTES + 1_000);
        }
    }
});

fn now() -> Timestamp {
    Timestamp::from_milliseconds(1_767_225_600_000)
}

fn key_of(byte: u8) -> LinkKey {
    LinkKey::new("a", vec![byte; 32]).expect("32 bytes are a key")
}

/// Reads an object, stored in either form.
fn read(key: &ObjectKey, form: Form, method: &Method, headers: &HeaderMap, keys: &LinkKeys) {
    let content = vec![b'a'; LENGTH as usize];
    for coding in [None, at_rest(&content).coding] {
        let facts = Facts {
            sha256: Digest::of(&content),
            length: LENGTH,
            coding,
            tenant: Tenant::default(),
            visibility: Default::default(),
            created: now(),
            expires: None,
            generation: 0,
            tombstone: false,
            void: false,
        };
        let caller = Caller::anonymous();
        let lookup = Lookup {
            key,
            form,
            method,
            headers,
            signature: None,
            link_keys: Some(keys),
            caller: &caller,
            now: now(),
            is_plain: coding.is_some(),
        };
        if let Ok(reply) = lookup.respond(&facts) {
            match reply.body {
                Body::Stored { decode, range } => {
                    assert!(!decode || coding.is_some(), "only what is coded is decoded");
                    assert_eq!(range.is_some(), reply.status == 206);
                    assert!(range.is_none_or(|range| range.start < range.end && range.end <= LENGTH));
                }
                Body::Empty | Body::Bytes(_) => assert!(*method == Method::HEAD || reply.status == 304),
            }
        }
    }
}

/// Reads a body as each of the accepted documents.
fn body(body: &[u8]) {
    let _ = BatchDeleteBody::parse(body);
    match Draft::parse(body, Tenant::default(), None) {
        Err(problem) => assert!(problem.kind.status().is_client_error() && !problem.detail.is_empty()),
        Ok(draft) => {
            let record = draft.record(1, now());
            let read = credlink_core::record::Record::parse(&record.to_bytes())
                .expect("what is accepted can be kept");
            if let Some(inline) = read.manifest.inline_bytes().expect("and is exact") {
                assert_eq!(inline, draft.manifest.bytes());
            }
        }
    }
}

//! Objects, as a bucket holds them.

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::encoding::at_rest;
use credlink_core::hash::Digest;
use credlink_core::http::conditional::{entity_tag, http_date};
use credlink_core::link::path;
use credlink_core::object::{Coding, Facts, ObjectKey};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use http::{Method, Request};

use crate::http::ask::{ask, proof};

/// An object: where it is, what is said of it, what it says, and the bytes that are kept of that.
#[derive(Clone, Debug)]
pub struct Thing {
    pub key: ObjectKey,
    pub facts: Facts,
    pub content: Bytes,
    pub stored: Bytes,
}

/// When everything was stored.
pub fn stored_at() -> Timestamp {
    "2026-01-02T03:04:05.250Z".parse().unwrap()
}

/// The key of a current record, of the file of this name.
pub fn record(name: &str) -> ObjectKey {
    ObjectKey::Record(proof(name))
}

/// The key of an earlier record of that proof.
pub fn revision(name: &str, number: u32) -> ObjectKey {
    ObjectKey::Revision(proof(name), number)
}

/// The key of a manifest; `number` makes it one of its own.
pub fn manifest(number: u32) -> ObjectKey {
    ObjectKey::Manifest(format!("urn:c2pa:f9168c5e-ceb2-4faa-b6bf-{number:012x}").parse().unwrap())
}

impl Thing {
    /// A public object of less than 1,000 bytes, stored in this coding.
    pub fn new(key: ObjectKey, coding: Option<Coding>) -> Self {
        let text = format!(r#"{{"key":"{key}","text":"{}"}}"#, "provenance, ".repeat(60));
        Self::of(key, coding, text.into())
    }

    /// A public object with this content, stored in this coding.
    pub fn of(key: ObjectKey, coding: Option<Coding>, content: Bytes) -> Self {
        let facts = Facts {
            sha256: Digest::of(&content),
            length: content.len() as u64,
            coding,
            tenant: Tenant::default(),
            visibility: Visibility::Public,
            created: stored_at(),
            expires: None,
            generation: 0,
            tombstone: false,
        };
        let stored = match coding {
            None => content.clone(),
            Some(Coding::Gzip) => {
                let packed = at_rest(&content);
                assert_eq!(packed.coding, coding, "it does not shrink");
                packed.bytes.into_owned().into()
            }
        };
        Self { key, facts, content, stored }
    }

    /// The marker of a deleted object.
    pub fn deleted(key: ObjectKey) -> Self {
        let (body, attributes) = Tombstone::new(stored_at(), 1).object(&key, &Tenant::default());
        let content = Bytes::from(body);
        Self { key, facts: Facts::read(&attributes).unwrap(), stored: content.clone(), content }
    }

    /// The same, with other facts.
    pub fn but(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.facts);
        self
    }

    /// Its path on the CDN domain.
    pub fn path(&self) -> String {
        path(&self.key)
    }

    /// A request for it.
    pub fn asked(&self, method: Method) -> Request<Bytes> {
        ask(method, &self.path())
    }

    /// The `ETag` of its content, or of its gzip.
    pub fn tag(&self, coding: Option<Coding>) -> String {
        entity_tag(&self.facts.sha256, coding)
    }

    /// Its `Last-Modified`.
    pub fn modified(&self) -> String {
        http_date(self.facts.created)
    }
}

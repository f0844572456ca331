//! Objects of every kind, in the stored form that a test of HTTP needs.

use bytes::Bytes;
use credlink_core::encoding::Coding;
use credlink_core::http::conditional::{entity_tag, http_date};
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::tenant::Tenant;
use credlink_core::tombstone::Tombstone;
use http::{Method, Request};

use super::seeds::Seed;
use crate::http::ask::{ask, proof};

/// The key of the current record for the file of this name.
pub fn record(name: &str) -> ObjectKey {
    ObjectKey::Record(proof(name))
}

/// The key of an earlier record of that proof.
pub fn revision(name: &str, number: u32) -> ObjectKey {
    ObjectKey::Revision(proof(name), number)
}

/// The key of a manifest, different for each `number`.
pub fn manifest(number: u32) -> ObjectKey {
    ObjectKey::Manifest(format!("urn:c2pa:f9168c5e-ceb2-4faa-b6bf-{number:012x}").parse().unwrap())
}

impl Seed {
    /// A public object of less than 1,000 bytes, stored in gzip.
    pub fn packed(key: ObjectKey) -> Self {
        let text = format!(r#"{{"key":"{key}","text":"{}"}}"#, "provenance, ".repeat(60));
        let packed = Self::new(key, text);
        assert_eq!(packed.facts.coding, Some(Coding::Gzip));
        packed
    }

    /// The same object, stored without compression.
    pub fn plain(key: ObjectKey) -> Self {
        Self::packed(key).unpacked()
    }

    /// The same content, stored without compression.
    pub fn unpacked(self) -> Self {
        self.but(|facts| facts.coding = None)
    }

    /// The tombstone of a deleted object.
    pub fn tombstone(key: ObjectKey) -> Self {
        let deleted = "2026-01-02T03:04:05.250Z".parse().unwrap();
        let (content, attributes) = Tombstone::new(deleted, 1).object(&key, &Tenant::default());
        Self { facts: Facts::read(&attributes).unwrap(), ..Self::new(key, content) }
    }

    /// A request for the object.
    pub fn asked(&self, method: Method) -> Request<Bytes> {
        ask(method, &self.path())
    }

    /// The `ETag` of the content, or of its gzip form.
    pub fn tag(&self, coding: Option<Coding>) -> String {
        entity_tag(&self.facts.sha256, coding)
    }

    /// The `Last-Modified` of the object.
    pub fn modified(&self) -> String {
        http_date(self.facts.created)
    }
}

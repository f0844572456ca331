//! Orphans, and how cleanup removes them (guarantee 10): never an object that is named, always with some days in which
//! the object can be restored, and never many at once.
//!
//! `orphans` follows every kind of orphan through `removed/`, `breaker` has too many at once, `unread` has records that
//! cannot be read, `intents` and `leftovers` have stores that were cut off, `beside` runs cleanup concurrently with
//! requests for those, `restored` has objects that were put back from a backup, and `lost` has an index that lost its
//! rows.

mod beside;
mod breaker;
mod intents;
mod leftovers;
mod lost;
mod orphans;
mod restored;
mod unread;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Attributes, Facts, ObjectKey};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::{Condition, Objects, Put};
use std::collections::BTreeMap;

use crate::faults::act::{c2pa_bytes, c2pa_id};

/// Puts an object under a key that is free.
async fn put(objects: &impl Objects, key: &ObjectKey, body: Bytes, attributes: &Attributes) {
    let put = objects.put(key, body, attributes, Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Stored(_)), "{key}");
}

/// The manifest for a short name, as an object.
fn manifest(name: &str, created: Timestamp) -> (ManifestKey, Bytes, Attributes) {
    let (id, body): (ManifestKey, Bytes) = (c2pa_id(name).parse().unwrap(), c2pa_bytes(name));
    let facts = Facts::of(&body, Tenant::default(), Visibility::Public, created);
    let attributes = facts.attributes(&ObjectKey::Manifest(id.clone()), BTreeMap::new());
    (id, body, attributes)
}

/// Puts a manifest that nothing names.
async fn put_manifest(objects: &impl Objects, name: &str, created: Timestamp) -> ObjectKey {
    let (id, body, attributes) = manifest(name, created);
    let key = ObjectKey::Manifest(id);
    put(objects, &key, body, &attributes).await;
    key
}

//! Orphans, and the way in which cleanup removes them (guarantee 10): never something that is named, with some days
//! in which they can be brought back, and never many at once.
//!
//! `orphans` has every kind of orphan and its way through `removed/`, `breaker` too many at once, `unread` records that cannot be
//! read, `intents` and `leftovers` stores that were cut off, `beside` cleanup beside requests for those, `restored` what was put back from a backup, and `lost` an index that lost its rows.

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

/// Puts an object in an empty place.
async fn put(objects: &impl Objects, key: &ObjectKey, body: Bytes, attributes: &Attributes) {
    let put = objects.put(key, body, attributes, Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Stored(_)), "{key}");
}

/// The manifest that a short name stands for, as an object.
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

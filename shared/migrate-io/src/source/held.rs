//! The manifests that a CredLink's proofs refer to, found by its objects alone. All other manifests were stored for
//! themselves.
//!
//! This reads every record once. It takes 8 bytes of memory for each manifest.

use std::collections::HashSet;

use credlink_core::hash::Digest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{ObjectKey, Verified};
use credlink_core::record::Record;
use credlink_ports::{Failure, FailureKind, Objects};
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};

/// Number of records that are read concurrently.
const AT_ONCE: usize = 64;
/// Number of objects in a page.
const PAGE: usize = 1_000;

/// The manifests that records refer to.
#[derive(Debug, Default)]
pub(super) struct Held(HashSet<u64>);

/// Returns 8 bytes of a digest. With 1,000,000 manifests, a manifest that was stored for itself is mistaken for another
/// one once in 18 million migrations.
fn short(manifest: &ManifestKey) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(manifest.to_string().as_bytes()).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl Held {
    pub(super) fn has(&self, manifest: &ManifestKey) -> bool {
        self.0.contains(&short(manifest))
    }

    /// Reads every record.
    pub(super) async fn of(provider: &impl Objects) -> Result<Self, Failure> {
        let (mut held, mut after) = (HashSet::new(), None);
        loop {
            let page = Box::pin(provider.list(ObjectKey::PROOFS, after.as_deref(), PAGE)).await?;
            let keys = page.items.iter().filter_map(|listed| listed.key.parse::<ObjectKey>().ok());
            let reads = keys.map(|key| async move { Box::pin(manifest(provider, &key)).await });
            let reads: Vec<_> = reads.collect();
            let found: Vec<_> = iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
            held.extend(found.iter().flatten().map(short));
            after = page.next;
            if after.is_none() {
                return Ok(Self(held));
            }
        }
    }
}

/// Returns the manifest that a record refers to. A damaged record refers to none, so its manifest is migrated as if it
/// stood by itself.
async fn manifest(provider: &impl Objects, key: &ObjectKey) -> Result<Option<ManifestKey>, Failure> {
    let object = match provider.get(key).await {
        Err(failure) if failure.kind == FailureKind::Damaged => return Ok(None),
        object => object?,
    };
    let Some(Ok(verified)) = object.map(Verified::check) else { return Ok(None) };
    if verified.facts().tombstone {
        return Ok(None);
    }
    let record = Record::parse(&verified.content()).ok();
    Ok(record.and_then(|record| Some(ManifestKey { id: record.manifest.id?, tenant: record.tenant })))
}

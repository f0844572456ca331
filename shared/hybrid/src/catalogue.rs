//! A catalogue of the proofs in the items of a legacy source, built by walking over the whole source.
//!
//! It keeps digests and the keys of the items, but no records: about 150 bytes for each item, and the length of its
//! key. A first walk reads every item; later walks read only new or changed items.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;

use credlink_ports::migration::Item;

use crate::legacy_store::LegacyQuery;

/// The proofs that walks have found so far.
#[derive(Debug, Default)]
pub struct Catalogue {
    places: RwLock<Places>,
    is_complete: AtomicBool,
}

#[derive(Debug, Default)]
struct Places {
    proofs: HashMap<ProofId, Arc<str>>,
    /// The items by the digest of their legacy ID. A hit must be checked against the ID itself.
    ids: HashMap<u64, Arc<str>>,
    /// The digests of the key and version of each item.
    seen: HashSet<u64>,
}

impl Catalogue {
    /// Returns the key of the item that matches the query, if a walk has found it.
    #[must_use]
    pub fn item(&self, query: &LegacyQuery) -> Option<Arc<str>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        match query {
            LegacyQuery::Proof(id) => places.proofs.get(id),
            LegacyQuery::Legacy(id) => places.ids.get(&digest(id.as_str())),
        }
        .cloned()
    }

    /// Returns `true` if a walk over the whole source has ended. From then on, an item that is missing here does not
    /// exist.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// Records that a walk has ended.
    pub(super) fn complete(&self) {
        self.is_complete.store(true, Ordering::Release);
    }

    /// Returns `true` if an item was recorded in its present version.
    pub(super) fn has_met(&self, item: &Item) -> bool {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        !item.version.is_empty() && places.seen.contains(&digest((&item.key, &item.version)))
    }

    /// Records an item, with its proof if it is readable as one.
    pub(super) fn meet(&self, item: &Item, proof: Option<(ProofId, &LegacyId)>) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        places.seen.insert(digest((&item.key, &item.version)));
        if let Some((proof, id)) = proof {
            places.learn(proof, id, &item.key);
        }
    }

    /// Records an item that was found by its legacy ID.
    pub(super) fn learn(&self, proof: ProofId, id: &LegacyId, key: &str) {
        self.places.write().unwrap_or_else(PoisonError::into_inner).learn(proof, id, key);
    }

    /// Returns the number of proofs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.read().unwrap_or_else(PoisonError::into_inner).proofs.len()
    }

    /// Returns `true` if there are no proofs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Places {
    /// Records a proof. If two records are of the same media file, the first one stays, as in a migration, which also
    /// imports the first.
    fn learn(&mut self, proof: ProofId, id: &LegacyId, key: &str) {
        let key: Arc<str> = key.into();
        self.proofs.entry(proof).or_insert_with(|| Arc::clone(&key));
        self.ids.entry(digest(id.as_str())).or_insert(key);
    }
}

fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

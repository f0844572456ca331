//! Which item of a legacy source has which proof: what a walk over the whole source has found.
//!
//! It keeps digests and the items' keys, and no record: about 150 bytes for each item and its key's length. A first walk
//! reads every item; later ones read those that are new or changed.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;

use credlink_ports::migration::Item;

use crate::legacy_store::LegacyQuery;

/// What a walk has found so far.
#[derive(Debug, Default)]
pub struct Catalogue {
    places: RwLock<Places>,
    is_complete: AtomicBool,
}

#[derive(Debug, Default)]
struct Places {
    proofs: HashMap<ProofId, Arc<str>>,
    /// By the digest of the legacy id: what is found is checked against the id itself.
    ids: HashMap<u64, Arc<str>>,
    /// The items, by the digests of key and version.
    seen: HashSet<u64>,
}

impl Catalogue {
    /// The key of the item that has what is looked for, if it was met.
    #[must_use]
    pub fn item(&self, query: &LegacyQuery) -> Option<Arc<str>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        match query {
            LegacyQuery::Proof(id) => places.proofs.get(id),
            LegacyQuery::Legacy(id) => places.ids.get(&digest(id.as_str())),
        }
        .cloned()
    }

    /// Whether a whole walk has ended: what is not here then, is not there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    /// A walk has ended.
    pub(super) fn complete(&self) {
        self.is_complete.store(true, Ordering::Release);
    }

    /// Whether an item was met as it is now.
    pub(super) fn has_met(&self, item: &Item) -> bool {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        !item.version.is_empty() && places.seen.contains(&digest((&item.key, &item.version)))
    }

    /// An item was met, and has this proof, if it can be read as any.
    pub(super) fn meet(&self, item: &Item, proof: Option<(ProofId, &LegacyId)>) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        places.seen.insert(digest((&item.key, &item.version)));
        if let Some((proof, id)) = proof {
            places.learn(proof, id, &item.key);
        }
    }

    /// An item was found by its legacy id.
    pub(super) fn learn(&self, proof: ProofId, id: &LegacyId, key: &str) {
        self.places.write().unwrap_or_else(PoisonError::into_inner).learn(proof, id, key);
    }

    /// How many proofs it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.read().unwrap_or_else(PoisonError::into_inner).proofs.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Places {
    /// Of two records of one media file the one that was met first stays: a migration imports the first as well.
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

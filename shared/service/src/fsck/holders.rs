//! Counts the holders of each manifest without a map of all manifests.
//!
//! Each holder in a live proof's row adds the fingerprint of its manifest to one of 65,536 sums, and each manifest's
//! row subtracts the fingerprints that its count stands for. If every sum is zero, every count is right, up to a chance
//! of one in 2^64. This takes one walk over the rows and half a megabyte of memory, however many rows there are.
//! Otherwise a second walk counts the manifests of the wrong sums, one in 65,536 for each wrong count.

use std::collections::{BTreeMap, BTreeSet};

use credlink_core::hash::Digest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::row::{ProofRow, Row, State};

use credlink_ports::{Failure, Index as _, Listing, Ports};

use super::PAGE;
use crate::service::Service;

/// Sums, one for each value of the first two bytes of a manifest's digest.
const SUMS: usize = 65_536;

/// Most manifests that are counted one by one: 100,000 × about 200 bytes. If more counts are wrong, the first of them
/// are reported.
const MAX_COUNTED: usize = 100_000;

/// The sums.
pub(super) struct Holders(Vec<u64>);

impl Default for Holders {
    fn default() -> Self {
        Self(vec![0; SUMS])
    }
}

/// Returns the index of a manifest's sum, and its fingerprint.
fn fingerprint(manifest: &ManifestKey) -> (usize, u64) {
    let digest = Digest::of(manifest.to_string().as_bytes());
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let (place, rest) = digest.as_bytes().split_at(2);
    (usize::try_from(number(place)).unwrap_or(0) % SUMS, number(rest.get(..8).unwrap_or(rest)))
}

impl Holders {
    pub(super) fn note(&mut self, row: &Row) {
        match row {
            Row::Proof(ProofRow { state: State::Live, held, tenant, .. }) => {
                for id in held {
                    let (place, print) = fingerprint(&ManifestKey::new(tenant, id));
                    if let Some(sum) = self.0.get_mut(place) {
                        *sum = sum.wrapping_add(print);
                    }
                }
            }
            Row::Manifest(row) if row.state == State::Live => {
                let (place, print) = fingerprint(&row.manifest_key());
                if let Some(sum) = self.0.get_mut(place) {
                    *sum = sum.wrapping_sub(print.wrapping_mul(u64::from(row.holders)));
                }
            }
            _ => {}
        }
    }

    /// Returns `true` if every count is right.
    pub(super) fn agree(&self) -> bool {
        self.0.iter().all(|sum| *sum == 0)
    }
}

/// The number of proofs that hold a manifest, the count in its row, and whether the row is live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    held: u32,
    recorded: Option<(u32, bool)>,
}

impl Counted {
    fn is_wrong(self) -> bool {
        match self.recorded {
            Some((recorded, true)) => recorded != self.held,
            Some((_, false)) | None => self.held > 0,
        }
    }
}

/// The manifests of wrong sums, counted one by one.
pub(super) struct Suspects {
    places: BTreeSet<usize>,
    counted: BTreeMap<ManifestKey, Counted>,
}

impl Suspects {
    pub(super) fn of(holders: &Holders) -> Self {
        let wrong = holders.0.iter().enumerate().filter(|(_, sum)| **sum != 0);
        Self { places: wrong.map(|(place, _)| place).collect(), counted: BTreeMap::new() }
    }

    fn of_one(&mut self, manifest: ManifestKey) -> Option<&mut Counted> {
        let is_room = self.counted.len() < MAX_COUNTED || self.counted.contains_key(&manifest);
        if !self.places.contains(&fingerprint(&manifest).0) || !is_room {
            return None;
        }
        Some(self.counted.entry(manifest).or_default())
    }

    /// Counts the suspects in a walk over the rows.
    pub(super) async fn count<P: Ports>(&mut self, service: &Service<P>) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = service.ports.index().list(&Listing::All, after.as_deref(), PAGE).await?;
            let page = page.unwrap_or_default();
            for row in page.items {
                match row {
                    Row::Proof(ProofRow { state: State::Live, held, tenant, .. }) => {
                        for id in &held {
                            if let Some(counted) = self.of_one(ManifestKey::new(&tenant, id)) {
                                counted.held += 1;
                            }
                        }
                    }
                    Row::Manifest(row) => {
                        if let Some(counted) = self.of_one(row.manifest_key()) {
                            counted.recorded = Some((row.holders, row.state == State::Live));
                        }
                    }
                    _ => {}
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Removes the suspects that `other` has counted differently, because they were being changed.
    pub(super) fn keep_those_of(&mut self, other: &Self) {
        self.counted.retain(|manifest, counted| other.counted.get(manifest) == Some(counted));
    }

    /// Returns the manifests with wrong counts: how many proofs hold each, and what its row says.
    pub(super) fn wrong(self) -> impl Iterator<Item = (ManifestKey, u32, Option<(u32, bool)>)> {
        let wrong = self.counted.into_iter().filter(|(_, counted)| counted.is_wrong());
        wrong.map(|(manifest, Counted { held, recorded })| (manifest, held, recorded))
    }
}

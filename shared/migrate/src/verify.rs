//! Verification: checks that everything in the source is at the destination as it was copied.
//!
//! First the source is walked, and each item's entry is looked up. Then the ledger is walked for items that are no
//! longer in the source, and then the destination for proofs that no entry names. Nothing is changed except the ledger,
//! where the findings are recorded.

#[cfg(test)]
mod tests;
mod walk;

use credlink_ports::migration::MigrationPorts;
use credlink_ports::migration::ledger::JobName;
use serde::Serialize;

use crate::error::{RunError, was_cancelled};
use crate::job_spec::known;
use crate::lease::hold;
use crate::progress::Watch;
use crate::retry_policy::RetryPolicy;
use crate::retrying_ports::RetryingPorts;
use crate::run::milliseconds;
use walk::Walk;

/// Maximum number of findings that are listed; all are counted.
pub const MAX_FINDINGS: usize = 10_000;

/// Options of a verification.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyOptions {
    /// `true` if content is always compared, at the source too. Otherwise the checksums that the destination holds are
    /// compared, where it holds them.
    pub deep: bool,
    /// The fraction of the copies that is compared, from 0 to 1. The sample is chosen by key and is always the same.
    /// Every item is checked for having been copied at all.
    pub sample: f64,
    /// `true` if the destination is searched for proofs that the job does not know.
    pub extra: bool,
    /// Number of copies that are compared concurrently.
    pub concurrency: usize,
    /// Maximum number of items that are read from the source per second.
    pub rate: Option<f64>,
    /// Retries, and the point at which to give up.
    pub retry_policy: RetryPolicy,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            deep: false,
            sample: 1.0,
            extra: true,
            concurrency: 32,
            rate: None,
            retry_policy: RetryPolicy::default(),
        }
    }
}

/// The class of a finding about an item or a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The copy is present, as it was copied.
    Verified,
    /// There is no copy: the item was not copied, or its copy is gone.
    Missing,
    /// The copy has other bytes.
    Corrupted,
    /// The bytes are right, but the stated content coding is another one.
    EncodingDiffers,
    /// The source's content differs from the one that was copied.
    Outdated,
    /// The state could not be determined.
    Unknown,
    /// The proof was replaced or deleted at the destination since, by somebody who was allowed to.
    Changed,
    /// There was nothing to copy: the item had expired, or its proof had been deleted at the destination.
    Skipped,
    /// The destination has a proof that no item of the job became.
    Extra,
}

impl Class {
    /// Returns `true` if nobody has to act on a finding of this class.
    #[must_use]
    pub const fn is_well(self) -> bool {
        match self {
            Self::Verified | Self::Changed | Self::Skipped | Self::Extra => true,
            Self::Missing | Self::Corrupted | Self::EncodingDiffers | Self::Outdated | Self::Unknown => false,
        }
    }
}

/// A finding that is not [`Class::Verified`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The key of the item; for an extra proof, its ID.
    pub item: String,
    /// The class of the finding.
    pub class: Class,
    /// The finding in detail, as text.
    pub detail: String,
}

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Items of the source, and entries of items that are no longer there.
    pub items: u64,
    /// Copies that were compared.
    pub compared: u64,
    /// Findings of [`Class::Verified`].
    pub verified: u64,
    /// Findings of [`Class::Missing`].
    pub missing: u64,
    /// Findings of [`Class::Corrupted`].
    pub corrupted: u64,
    /// Findings of [`Class::EncodingDiffers`].
    pub encoding_differs: u64,
    /// Findings of [`Class::Outdated`].
    pub outdated: u64,
    /// Findings of [`Class::Unknown`].
    pub unknown: u64,
    /// Findings of [`Class::Changed`].
    pub changed: u64,
    /// Findings of [`Class::Skipped`].
    pub skipped: u64,
    /// Findings of [`Class::Extra`].
    pub extra: u64,
    /// The number of verified copies that were compared by checksum alone.
    pub by_checksum: u64,
    /// The first findings, at most [`MAX_FINDINGS`]. Those that need action come before the others.
    pub findings: Vec<Finding>,
    /// `true` if the verification was cancelled before its end.
    pub interrupted: bool,
    /// The duration of the verification, in milliseconds.
    pub elapsed_ms: u64,
}

impl Verification {
    /// Returns `true` if everything was examined and no finding needs action.
    #[must_use]
    pub const fn is_well(&self) -> bool {
        !self.interrupted
            && self.missing + self.corrupted + self.encoding_differs + self.outdated + self.unknown == 0
    }

    fn note(&mut self, class: Class, item: &str, detail: String) {
        *match class {
            Class::Verified => &mut self.verified,
            Class::Missing => &mut self.missing,
            Class::Corrupted => &mut self.corrupted,
            Class::EncodingDiffers => &mut self.encoding_differs,
            Class::Outdated => &mut self.outdated,
            Class::Unknown => &mut self.unknown,
            Class::Changed => &mut self.changed,
            Class::Skipped => &mut self.skipped,
            Class::Extra => &mut self.extra,
        } += 1;
        if class == Class::Verified {
            return;
        }
        let full = self.findings.len() >= MAX_FINDINGS;
        let finding = Finding { item: item.to_owned(), class, detail };
        if !full {
            self.findings.push(finding);
        } else if !class.is_well()
            && let Some(place) = self.findings.iter_mut().rev().find(|finding| finding.class.is_well())
        {
            *place = finding;
        }
    }
}

/// Verifies a job. `holder` identifies this verification and must never be reused.
///
/// # Errors
/// Fails as described at [`RunError`].
pub async fn verify<M: MigrationPorts, W: Watch>(
    ports: &M,
    name: &JobName,
    options: &VerifyOptions,
    holder: &str,
    watch: &W,
) -> Result<Verification, RunError> {
    hold(ports.ledger(), ports.clock(), name, holder, async {
        known(ports.ledger(), name).await?;
        let began = milliseconds(ports.clock());
        let retrying = RetryingPorts::new(ports, watch, options.retry_policy, options.rate);
        let mut walk = Walk::new(&retrying, options);
        let end = walk.run().await;
        let mut found = walk.found;
        found.findings.sort_by_key(|finding| finding.class.is_well());
        found.elapsed_ms = milliseconds(ports.clock()).saturating_sub(began);
        found.interrupted = was_cancelled(end)?;
        Ok(found)
    })
    .await
}

//! Verifying: everything that the source has stands at the destination, and is what was copied.
//!
//! First the source is walked, and each item's entry is asked for; then the ledger, for what is not in the source any
//! more; then the destination, for what no entry names. Nothing is changed but the ledger, where what was found is
//! written.

#[cfg(test)]
mod tests;
mod walk;

use serde::Serialize;

use credlink_ports::migration::MigrationPorts;
use credlink_ports::migration::ledger::JobName;
use walk::Walk;

use super::error::{RunError, was_cancelled};
use super::job_spec::known;
use super::lease::hold;
use super::patience::Patience;
use super::progress::Watch;
use super::retrying_ports::RetryingPorts;
use super::run::milliseconds;

/// Most findings that are listed; all are counted.
pub const MAX_FINDINGS: usize = 10_000;

/// How to verify.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyOptions {
    /// Whether content is always compared, at the source too. Otherwise the checksums that the destination holds are, where
    /// it holds them.
    pub deep: bool,
    /// Which share of the copies is compared, from 0 to 1: always the same ones, by their keys. That an item was copied at
    /// all is checked of each.
    pub sample: f64,
    /// Whether the destination is walked for proofs that the job does not know.
    pub extra: bool,
    /// Copies that are compared at the same time.
    pub concurrency: usize,
    /// The most items that are read from the source, a second.
    pub rate: Option<f64>,
    /// When to go on, and when to give up.
    pub patience: Patience,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            deep: false,
            sample: 1.0,
            extra: true,
            concurrency: 32,
            rate: None,
            patience: Patience::default(),
        }
    }
}

/// What was found of an item, or of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It stands there as it was copied.
    Verified,
    /// It does not stand there: it was not copied, or is gone.
    Missing,
    /// Other bytes stand there.
    Corrupted,
    /// The bytes are right, and their content coding is said to be another one.
    EncodingDiffers,
    /// The source has another content than the one that was copied.
    Outdated,
    /// It could not be found out.
    Unknown,
    /// It was replaced or deleted at the destination since, by somebody who may.
    Changed,
    /// There was nothing to copy: it expired, or was deleted at the destination before.
    Skipped,
    /// The destination has a proof that no item of the job became.
    Extra,
}

impl Class {
    /// Whether somebody has to do something.
    #[must_use]
    pub const fn is_well(self) -> bool {
        match self {
            Self::Verified | Self::Changed | Self::Skipped | Self::Extra => true,
            Self::Missing | Self::Corrupted | Self::EncodingDiffers | Self::Outdated | Self::Unknown => false,
        }
    }
}

/// One finding that is not [`Class::Verified`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The item's key; of an extra proof, its id.
    pub item: String,
    /// What it is.
    pub class: Class,
    /// In words.
    pub detail: String,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Items of the source, and entries of items that are not there any more.
    pub items: u64,
    /// Copies that were compared.
    pub compared: u64,
    /// [`Class::Verified`].
    pub verified: u64,
    /// [`Class::Missing`].
    pub missing: u64,
    /// [`Class::Corrupted`].
    pub corrupted: u64,
    /// [`Class::EncodingDiffers`].
    pub encoding_differs: u64,
    /// [`Class::Outdated`].
    pub outdated: u64,
    /// [`Class::Unknown`].
    pub unknown: u64,
    /// [`Class::Changed`].
    pub changed: u64,
    /// [`Class::Skipped`].
    pub skipped: u64,
    /// [`Class::Extra`].
    pub extra: u64,
    /// How many of the verified ones were compared by checksum alone.
    pub by_checksum: u64,
    /// The first findings, at most [`MAX_FINDINGS`]: those that somebody has to do something about before the others.
    pub findings: Vec<Finding>,
    /// Whether it was cancelled before its end.
    pub interrupted: bool,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

impl Verification {
    /// Whether all that was looked at is well, and everything was looked at.
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

/// Verifies a job. `holder` names this verification, unique for ever.
///
/// # Errors
/// See [`RunError`].
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
        let retrying = RetryingPorts::new(ports, watch, options.patience, options.rate);
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

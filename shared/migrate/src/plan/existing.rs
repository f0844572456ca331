//! Compares an item with what the destination has of it.

use credlink_core::rules::store::Draft;
use credlink_ports::migration::ExistingState;
use credlink_ports::migration::proof_content::{ProofContent, difference};

/// The part of an item's proof that the destination already has.
pub(super) enum Existing {
    Nothing,
    /// The same proof, as far as the destination shows it.
    Same,
    /// An earlier revision. The fields count what remains to be written.
    Earlier {
        revisions: u64,
        manifests: u64,
    },
    /// A different proof, with a description.
    Other(String),
}

impl Existing {
    /// Compares what the destination has with a proof of these drafts. Aliases and manifests have no drafts.
    pub(super) fn of(standing: ExistingState, drafts: &[Draft]) -> Self {
        let (content, last) = match (standing, drafts.last()) {
            (ExistingState::Absent | ExistingState::Deleted(_), _) => return Self::Nothing,
            (ExistingState::Live(None), _) | (ExistingState::Live(_), None) => return Self::Same,
            (ExistingState::Live(Some(content)), Some(last)) => (content, last),
        };
        let later = drafts.iter().rev().take_while(|draft| ProofContent::of(draft) != content);
        let (revisions, manifests) = later.fold((0, 0), |(revisions, manifests), draft| {
            (revisions + 1, manifests + u64::from(draft.manifest.id().is_some()))
        });
        match revisions {
            0 => Self::Same,
            all if all == drafts.len() as u64 => Self::Other(difference(&last.id(), &content.manifest, last)),
            revisions => Self::Earlier { revisions, manifests },
        }
    }
}

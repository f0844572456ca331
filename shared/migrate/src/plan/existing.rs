//! Whether the destination has what an item makes.

use credlink_core::rules::store::Draft;

use credlink_ports::migration::Standing;
use credlink_ports::migration::proof_content::{ProofContent, difference};

/// The part of a proof that can be copied which the destination has already.
pub(super) enum Existing {
    Nothing,
    /// The same, as far as it is shown.
    Same,
    /// An earlier revision, and so much is to be written.
    Earlier {
        revisions: u64,
        manifests: u64,
    },
    /// Another one: in words.
    Other(String),
}

impl Existing {
    /// What it has of a proof with these drafts, of which another name and a manifest have none.
    pub(super) fn of(standing: Standing, drafts: &[Draft]) -> Self {
        let (content, last) = match (standing, drafts.last()) {
            (Standing::Absent | Standing::Deleted(_), _) => return Self::Nothing,
            (Standing::Live(None), _) | (Standing::Live(_), None) => return Self::Same,
            (Standing::Live(Some(content)), Some(last)) => (content, last),
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

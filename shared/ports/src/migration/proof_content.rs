//! What tells whether two proofs of one media file say the same.

use credlink_core::hash::Digest;
use credlink_core::proof_id::ProofId;
use credlink_core::row::ProofRow;
use credlink_core::rules::store::Draft;

/// The manifest and the signature of a proof. Of two proofs of one media file that have the same, one is enough; two that
/// have not are a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofContent {
    /// The manifest's SHA-256.
    pub manifest: Digest,
    /// SHA-256 of the detached signature's text.
    pub signature: Option<Digest>,
}

impl ProofContent {
    /// What `manifest` and the text `signature` are.
    #[must_use]
    pub fn new(manifest: Digest, signature: Option<&str>) -> Self {
        Self { manifest, signature: signature.map(|text| Digest::of(text.as_bytes())) }
    }

    /// What a draft would be stored as.
    #[must_use]
    pub fn of(draft: &Draft) -> Self {
        Self::new(*draft.manifest.sha256(), draft.signature.as_deref())
    }
}

impl From<&ProofRow> for ProofContent {
    fn from(row: &ProofRow) -> Self {
        Self { manifest: row.manifest_sha256, signature: row.signature_sha256 }
    }
}

/// The difference of a public proof from a private one with the same manifest and signature, in words.
#[must_use]
pub fn difference_in_readers(proof: &ProofId) -> String {
    format!(
        "the proof {proof} is there with the same manifest and signature, and it is public; the source has a private one"
    )
}

/// How the proof that is there, with the manifest `there`, differs from the one that was to be imported, in words.
#[must_use]
pub fn difference(proof: &ProofId, there: &Digest, draft: &Draft) -> String {
    let ours = draft.manifest.sha256();
    if there == ours {
        return format!(
            "the proof {proof} is there with the same manifest, and with another signature or none"
        );
    }
    format!("the proof {proof} is there with a manifest whose SHA-256 is {there}; this one has {ours}")
}

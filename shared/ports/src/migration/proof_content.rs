//! A comparison of two proofs of one media file.

use credlink_core::hash::Digest;
use credlink_core::proof_id::ProofId;
use credlink_core::row::ProofRow;
use credlink_core::rules::store::Draft;

/// The digests of a proof's manifest and signature. Two proofs of one media file with the same content are redundant;
/// two with different content are in conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofContent {
    /// The SHA-256 of the manifest.
    pub manifest: Digest,
    /// The SHA-256 of the detached signature's text.
    pub signature: Option<Digest>,
}

impl ProofContent {
    /// Returns the content of a proof with the digest `manifest` and the text `signature`.
    #[must_use]
    pub fn new(manifest: Digest, signature: Option<&str>) -> Self {
        Self { manifest, signature: signature.map(|text| Digest::of(text.as_bytes())) }
    }

    /// Returns the content of the proof that a draft would become.
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

/// Describes the difference of a public proof from a private one with the same manifest and signature.
#[must_use]
pub fn difference_in_readers(proof: &ProofId) -> String {
    format!(
        "the proof {proof} is there with the same manifest and signature, and it is public; the source has a private one"
    )
}

/// Describes how the destination's proof, with the manifest `there`, differs from the draft that was to be imported.
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

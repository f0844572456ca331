//! The acts that change a world: a request of the API, a run of cleanup, or the passage of time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::testing::{store_of, superbox};

/// The type of a C2PA manifest's box (C2PA 2.x, section 11.1.4.1).
const MANIFEST_BOX: [u8; 16] =
    [b'c', b'2', b'm', b'a', 0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71];

/// A media file, named by its content.
pub type File = &'static str;

/// A manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A JSON manifest, given by its text.
    Json(&'static str),
    /// A C2PA manifest that binds no file, given by the distinctive part of its ID.
    C2pa(&'static str),
}

impl What {
    /// The exact bytes. A C2PA manifest is long and uniform enough to be compressed at rest.
    pub fn bytes(self) -> Bytes {
        match self {
            Self::Json(text) => Bytes::from_static(text.as_bytes()),
            Self::C2pa(name) => c2pa_bytes(name),
        }
    }

    pub fn digest(self) -> Digest {
        Digest::of(&self.bytes())
    }

    /// The body of an import, which may restore a proof that was deleted at the instant `restores`.
    pub fn legacy_body(self, file: File, id: &str, restores: Option<&str>) -> Bytes {
        let restores = restores.map(|at| format!(r#","restores":"{at}""#)).unwrap_or_default();
        let origin = format!(
            r#""origin":{{"created":"2020-01-01T00:00:00Z","expires":"9999-01-01T00:00:00Z","legacy_id":"{id}"{restores}}}"#
        );
        let body = String::from_utf8(self.body(file, 0).into()).unwrap();
        body.replace(r#""expires_in":0"#, &origin).into()
    }

    /// The body of a store or a replacement.
    pub fn body(self, file: File, lifetime: u64) -> Bytes {
        let manifest = STANDARD.encode(self.bytes());
        let kind = match self {
            Self::Json(_) => "application/json",
            Self::C2pa(_) => "application/c2pa",
        };
        format!(
            r#"{{"media_hash":"{}","manifest_base64":"{manifest}","manifest_type":"{kind}","expires_in":{lifetime}}}"#,
            MediaHash::of(file.as_bytes())
        )
        .into()
    }
}

/// A C2PA manifest store that binds no file.
pub fn c2pa_bytes(name: &str) -> Bytes {
    let note = superbox(MANIFEST_BOX, &"note".repeat(100), &[]);
    store_of(&[superbox(MANIFEST_BOX, &c2pa_id(name), &[note])]).into()
}

/// The manifest ID for a short name.
pub fn c2pa_id(name: &str) -> String {
    format!("urn:c2pa:{name}")
}

/// The ID of a file's proof.
pub fn proof_id(file: File) -> ProofId {
    ProofId::derive(&Tenant::default(), &MediaHash::of(file.as_bytes()))
}

/// A single act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Store a proof for a year.
    Store(File, What),
    /// Store a proof for ten seconds.
    StoreShortly(File, What),
    /// Import a proof from another store, with the legacy ID that it had there.
    TakeOver(File, What, &'static str),
    /// Import a proof that is deleted when the request is made, and name the very instant of its deletion.
    Restore(File, What, &'static str),
    /// Replace the record that is current when the request is made (see [`super::world::World::request`]).
    Supersede(File, What),
    /// Delete a proof.
    Delete(File),
    /// Delete several proofs in one request.
    Batch(&'static [File]),
    /// Store a C2PA manifest by itself.
    StoreManifest(&'static str),
    /// Delete a C2PA manifest by itself.
    DeleteManifest(&'static str),
    /// Clean up what is due, and orphans that are a day old.
    Cleanup,
}

impl Act {
    /// The C2PA manifest that the act stores.
    pub const fn brings(&self) -> Option<&'static str> {
        match self {
            Self::Store(_, What::C2pa(name))
            | Self::StoreShortly(_, What::C2pa(name))
            | Self::TakeOver(_, What::C2pa(name), _)
            | Self::Restore(_, What::C2pa(name), _)
            | Self::Supersede(_, What::C2pa(name))
            | Self::StoreManifest(name) => Some(name),
            _ => None,
        }
    }
}

/// The outcome of an act, as far as it matters to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The act is acknowledged. The answer to a store says whether the stored proof is identical.
    Done(Option<bool>),
    /// The act is refused with this status.
    Refused(u16),
    /// The act failed with this status, and may have taken effect or not.
    Failed(u16),
}

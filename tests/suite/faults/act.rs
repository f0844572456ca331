//! What is done to a world: a request of the API, a run of cleanup, or time.

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

/// A media file, by its content.
pub type File = &'static str;

/// A manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A JSON manifest, by its text.
    Json(&'static str),
    /// A C2PA manifest that binds no file, by the part of its id that differs.
    C2pa(&'static str),
}

impl What {
    /// The exact bytes. A C2PA manifest is long and even enough to be packed at rest.
    pub fn bytes(self) -> Bytes {
        match self {
            Self::Json(text) => Bytes::from_static(text.as_bytes()),
            Self::C2pa(name) => c2pa_bytes(name),
        }
    }

    pub fn digest(self) -> Digest {
        Digest::of(&self.bytes())
    }

    /// The body of a take-over, which may bring back what was deleted at an instant.
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

/// The manifest id that a short name stands for.
pub fn c2pa_id(name: &str) -> String {
    format!("urn:c2pa:{name}")
}

/// The id of a file's proof.
pub fn proof_id(file: File) -> ProofId {
    ProofId::derive(&Tenant::default(), &MediaHash::of(file.as_bytes()))
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Store a proof for a year.
    Store(File, What),
    /// Store a proof for ten seconds.
    StoreShortly(File, What),
    /// Take over a proof of another store, under the id that it had there.
    TakeOver(File, What, &'static str),
    /// The same, of a proof that was deleted when the request is made: at that very instant.
    Restore(File, What, &'static str),
    /// Replace the record that is current when the request is made (see [`super::world::World::request`]).
    Supersede(File, What),
    /// Delete a proof.
    Delete(File),
    /// Delete proofs at once.
    Batch(&'static [File]),
    /// Store a C2PA manifest by itself.
    StoreManifest(&'static str),
    /// Delete a C2PA manifest by itself.
    DeleteManifest(&'static str),
    /// Clean up what is due, and orphans that are a day old.
    Cleanup,
}

impl Act {
    /// The C2PA manifest that it brings.
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

/// What an act came to, as far as a caller has to care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is acknowledged. A store says whether the proof that is there is identical.
    Done(Option<bool>),
    /// It is refused, with this status.
    Refused(u16),
    /// It failed: nobody knows whether it was done.
    Failed(u16),
}

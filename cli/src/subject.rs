//! The subject of a command: a file, its hash, a proof ID, a manifest ID or a URL, distinguished by its form.

use std::path::{Path, PathBuf};

use credlink_core::hash::MediaHash;
use credlink_core::manifest_id::ManifestId;
use credlink_core::proof_id::ProofId;
use credlink_verify::media::Media;

use crate::client::Client;
use crate::error::{Trouble, TroubleKind};
use crate::input::{self, STANDARD_INPUT};

/// The subject of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A file on this machine, or `-` for standard input.
    File(PathBuf),
    /// A file that is elsewhere, by its hash.
    Hash(MediaHash),
    /// A proof.
    Proof(ProofId),
    /// A manifest.
    Manifest(ManifestId),
    /// The record or the manifest at a URL.
    Url(String),
}

impl Subject {
    /// Parses an argument. A file whose name looks like something else is written `./name`.
    pub fn read(typed: &str) -> Result<Self, Trouble> {
        if typed.starts_with("http://") || typed.starts_with("https://") {
            return Ok(Self::Url(typed.to_owned()));
        }
        if typed.starts_with("sha256:") {
            let hash = typed
                .parse()
                .map_err(|error| Trouble::new(TroubleKind::Usage, format!("`{typed}`: {error}")))?;
            return Ok(Self::Hash(hash));
        }
        if let Ok(hash) = typed.parse() {
            return Ok(Self::Hash(hash));
        }
        if let Ok(id) = typed.parse() {
            return Ok(Self::Proof(id));
        }
        match typed.parse() {
            Ok(id) if !Path::new(typed).exists() => Ok(Self::Manifest(id)),
            _ => Ok(Self::File(typed.into())),
        }
    }

    /// Returns the proof that the subject stands for, or `None` for a manifest or a URL. `others` names what could have
    /// been typed instead of a file.
    pub fn proof(&self, client: &Client, others: &str) -> Result<Option<ProofId>, Trouble> {
        Ok(match self {
            Self::File(path) => Some(client.id_of(&media(path, others)?.hash)),
            Self::Hash(hash) => Some(client.id_of(hash)),
            Self::Proof(id) => Some(*id),
            Self::Manifest(_) | Self::Url(_) => None,
        })
    }
}

/// Opens the file at `path`. If there is none, the error says what else may have been meant.
fn media(path: &Path, others: &str) -> Result<Media, Trouble> {
    let is_missing = || path != Path::new(STANDARD_INPUT) && matches!(path.try_exists(), Ok(false));
    input::media(path).map_err(|trouble| {
        if is_missing() { trouble.with(&format!("and it is not a {others} either")) } else { trouble }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_says_what_it_is() {
        let hash = MediaHash::of(b"");
        let hex = hash.digest().to_string();
        let id = "ym32rzlpvukwoewqzin4wsrs3w55fqze";
        for (typed, subject) in [
            ("photo.jpg", Subject::File("photo.jpg".into())),
            ("./sha256:x", Subject::File("./sha256:x".into())),
            (&format!("./{id}"), Subject::File(format!("./{id}").into())),
            (&hash.to_string(), Subject::Hash(hash)),
            (&hex, Subject::Hash(hash)),
            (id, Subject::Proof(id.parse().unwrap())),
            ("urn:c2pa:x", Subject::Manifest("urn:c2pa:x".parse().unwrap())),
            ("https://a.example/v1/proofs/x", Subject::Url("https://a.example/v1/proofs/x".into())),
        ] {
            assert_eq!(Subject::read(typed), Ok(subject), "{typed}");
        }
        assert!(Subject::read("sha256:abc").unwrap_err().to_string().contains("64 hexadecimal digits"));
    }
}

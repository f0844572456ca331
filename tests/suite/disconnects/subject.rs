//! The subject of a try: a file, a manifest or a legacy ID of its own, so that its state shows the outcome.

use credlink_core::hash::{Digest, MediaHash};
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;

use super::wire::Ask;
use crate::http::ask::{media, proof_path};

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Store,
    StoreAgain,
    Replace,
    Delete,
    DeleteInBatch,
    StoreManifest,
    DeleteManifest,
    Bind,
    Withdraw,
}

/// Every kind of change.
pub const CHANGES: [Change; 9] = [
    Change::Store,
    Change::StoreAgain,
    Change::Replace,
    Change::Delete,
    Change::DeleteInBatch,
    Change::StoreManifest,
    Change::DeleteManifest,
    Change::Bind,
    Change::Withdraw,
];

/// The state of an address, as the status of its answer shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The answer is 404 or 410.
    Nothing,
    /// The answer is 200, with a manifest of this digest.
    Manifest(String),
    /// The answer is 308.
    Leads,
}

/// The file, manifest or legacy ID that one try changes.
#[derive(Debug, Clone)]
pub struct Subject {
    pub number: usize,
    pub change: Change,
}

impl Subject {
    fn name(&self) -> String {
        format!("subject {}", self.number)
    }

    fn media(&self) -> MediaHash {
        media(&self.name())
    }

    pub fn proof_path(&self) -> String {
        proof_path(&self.name())
    }

    pub fn proof_id(&self) -> String {
        crate::http::ask::proof(&self.name()).to_string()
    }

    /// The ID of the subject's first, second, … manifest, if that is C2PA.
    pub fn manifest_id(&self, version: usize) -> String {
        format!("urn:c2pa:{:08x}-0000-4000-8000-{version:012x}", self.number)
    }

    pub fn legacy_id(&self) -> String {
        format!("legacy-{}", self.number)
    }

    /// The subject's first, second, … manifest, which is C2PA for half of the subjects.
    fn manifest(&self, version: usize) -> (Vec<u8>, &'static str) {
        if self.is_about_a_manifest() || self.number.is_multiple_of(2) {
            return (manifest_store(&self.manifest_id(version), self.media().digest()), "application/c2pa");
        }
        let number = self.number;
        (format!(r#"{{ "number" : {number}.0, "version" : {version} }}"#).into_bytes(), "application/json")
    }

    pub fn sha256(&self, version: usize) -> String {
        Digest::of(&self.manifest(version).0).to_string()
    }

    fn body(&self, version: usize) -> String {
        let (bytes, kind) = self.manifest(version);
        let (media, bytes) = (self.media(), BASE64.encode(&bytes));
        format!(r#"{{"media_hash":"{media}","manifest_base64":"{bytes}","manifest_type":"{kind}"}}"#)
    }

    pub const fn is_about_a_manifest(&self) -> bool {
        matches!(self.change, Change::StoreManifest | Change::DeleteManifest)
    }

    pub const fn is_about_an_alias(&self) -> bool {
        matches!(self.change, Change::Bind | Change::Withdraw)
    }

    pub fn store(&self, version: usize) -> Ask {
        Ask::of("POST", "/v1/proofs").body("application/json", self.body(version))
    }

    pub fn replace(&self, version: usize, if_match: &str) -> Ask {
        Ask::of("PUT", &self.proof_path())
            .body("application/json", self.body(version))
            .header("if-match", if_match)
    }

    pub fn store_manifest(&self) -> Ask {
        Ask::of("POST", "/v1/manifests").body("application/c2pa", self.manifest(1).0)
    }

    fn bind(&self) -> Ask {
        let body = format!(r#"{{"proof":"{}"}}"#, self.proof_id());
        Ask::of("PUT", &format!("/v1/aliases/{}", self.legacy_id())).body("application/json", body)
    }

    /// Returns the requests that are made, and fully answered, before the try.
    pub fn before(&self) -> Vec<Ask> {
        match self.change {
            Change::Store | Change::StoreManifest => Vec::new(),
            Change::StoreAgain | Change::Replace | Change::Delete | Change::DeleteInBatch | Change::Bind => {
                vec![self.store(1)]
            }
            Change::DeleteManifest => vec![self.store_manifest()],
            Change::Withdraw => vec![self.store(1), self.bind()],
        }
    }

    /// Returns the request that is cut off.
    pub fn change(&self) -> Ask {
        match self.change {
            Change::Store | Change::StoreAgain => self.store(1),
            Change::Replace => self.replace(2, "*"),
            Change::Delete => Ask::of("DELETE", &self.proof_path()),
            Change::DeleteInBatch => {
                let body = format!(r#"{{"ids":["{}"]}}"#, self.proof_id());
                Ask::of("POST", "/v1/proofs/batch-delete").body("application/json", body)
            }
            Change::StoreManifest => self.store_manifest(),
            Change::DeleteManifest => Ask::of("DELETE", &self.manifest_path()),
            Change::Bind => self.bind(),
            Change::Withdraw => {
                let (legacy, proof) = (self.legacy_id(), self.proof_id());
                Ask::of("DELETE", &format!("/v1/aliases/{legacy}?proof={proof}"))
            }
        }
    }

    pub fn manifest_path(&self) -> String {
        format!("/v1/manifests/{}", self.manifest_id(1))
    }

    /// Returns the state if the change did not take effect, and the state if it did.
    pub fn states(&self) -> [State; 2] {
        let first = || State::Manifest(self.sha256(1));
        match self.change {
            Change::Store | Change::StoreManifest => [State::Nothing, first()],
            Change::StoreAgain => [first(), first()],
            Change::Replace => [first(), State::Manifest(self.sha256(2))],
            Change::Delete | Change::DeleteInBatch | Change::DeleteManifest => [first(), State::Nothing],
            Change::Bind => [State::Nothing, State::Leads],
            Change::Withdraw => [State::Leads, State::Nothing],
        }
    }

    /// Returns the path of the subject.
    pub fn path(&self) -> String {
        if self.is_about_a_manifest() {
            self.manifest_path()
        } else if self.is_about_an_alias() {
            format!("/v1/proofs/{}", self.legacy_id())
        } else {
            self.proof_path()
        }
    }
}

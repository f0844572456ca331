//! The objects of another CredLink, each compared with the digest that the API or its record states.

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::front::Front;
use credlink_core::hash::Digest;
use credlink_core::link::exact_path;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::record::Record;
use credlink_ports::migration::{Revision, RevisionManifest};
use credlink_ports::{Failure, FailureKind};
use http::{Method, StatusCode};

use super::Remote;
use crate::api::{Question, Unexpected as _, failure};
use crate::source::names::manifest_version;

/// An object that was read.
pub(super) struct Object {
    pub(super) bytes: Bytes,
    /// The digest in its `ETag`.
    pub(super) tag: Option<Digest>,
    /// The visibility, if the answer states it.
    pub(super) visibility: Option<Visibility>,
}

/// A record that was read.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    pub(super) record: Record,
}

impl Remote {
    /// Reads the object under `key`. Returns `None` if it is absent, deleted or expired.
    pub(super) async fn object(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        let target = format!("/v1{}", exact_path(key));
        // A front is small and is not served by redirect.
        let question = match key {
            ObjectKey::Front(_) => Question::new(Method::GET, target.clone()),
            _ => Question::object(target.clone()),
        };
        let answer = self.api.ask(question).await?;
        match answer.status {
            StatusCode::OK => {
                Ok(Some(Object { tag: answer.digest(), visibility: answer.visibility(), bytes: answer.body }))
            }
            _ if answer.is_not_found() || answer.is_gone() => Ok(None),
            StatusCode::FORBIDDEN => {
                Err(failure(FailureKind::AccessDenied, format!("{target}: it is private")))
            }
            _ => Err(answer.unexpected(&target)),
        }
    }

    pub(super) async fn record(&self, key: &ObjectKey) -> Result<Option<Read>, Failure> {
        let Some(Object { bytes, tag, .. }) = self.object(key).await? else { return Ok(None) };
        if tag != Some(Digest::of(&bytes)) {
            return Err(damaged(key, &"it does not have the digest that the API names"));
        }
        let record = Record::parse(&bytes).map_err(|error| damaged(key, &error))?;
        Ok(Some(Read { bytes, record }))
    }

    pub(super) async fn read_front(&self, id: &ManifestId) -> Result<Option<Front>, Failure> {
        let key = ObjectKey::Front(id.clone());
        let Some(object) = self.object(&key).await? else { return Ok(None) };
        Front::parse(&object.bytes).map(Some).map_err(|error| damaged(&key, &error))
    }

    pub(super) async fn revision(&self, read: Read) -> Result<Option<Revision>, Failure> {
        let Read { bytes, record } = read;
        let Some(id) = record.manifest.id else {
            return Ok(Some(Revision { record: bytes, manifest: None }));
        };
        let key = ObjectKey::Manifest(ManifestKey { id, tenant: record.tenant });
        let Some(object) = self.object(&key).await? else { return Ok(None) };
        if Digest::of(&object.bytes) != record.manifest.sha256 {
            return Err(damaged(&key, &format!("it is not the one of the proof {}", record.id)));
        }
        let manifest = RevisionManifest { visibility: object.readers(&key)?, bytes: object.bytes };
        Ok(Some(Revision { record: bytes, manifest: Some(manifest) }))
    }
}

impl Object {
    /// Returns the visibility of a manifest. An answer that does not state it is a failure, because a private manifest
    /// would become public.
    pub(super) fn readers(&self, key: &ObjectKey) -> Result<Visibility, Failure> {
        let untold = || damaged(key, &"the answer has no Cache-Control that says who may read it");
        self.visibility.ok_or_else(untold)
    }

    /// Returns the version of a manifest that was stored for itself.
    pub(super) fn manifest_version(&self, key: &ObjectKey) -> Result<String, Failure> {
        Ok(manifest_version(&Digest::of(&self.bytes), self.readers(key)?))
    }
}

pub(super) fn damaged(key: &ObjectKey, why: &dyn std::fmt::Display) -> Failure {
    failure(FailureKind::Damaged, format!("{key}: {why}"))
}

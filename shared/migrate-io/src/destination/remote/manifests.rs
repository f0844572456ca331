//! Manifests that were stored for themselves, over the API.

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::problem::ProblemKind;
use credlink_core::link::exact_path;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::media_type::C2PA_TYPE;
use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::target::{ManifestDraft, Target};
use credlink_ports::migration::{Depth, ExistingState, Imported, Withdrawal};
use credlink_ports::{Failure, FailureKind};
use http::{Method, StatusCode};

use super::import::of_another_tenant;
use super::object::ObjectState;
use super::{Remote, withdrawal};
use crate::api::{Question, Unexpected as _, failure};

impl Remote {
    /// Looks up a manifest. The API does not tell whether only proofs hold it; if they do, it counts as not made by
    /// this job.
    pub(super) async fn find_manifest(&self, manifest: &ManifestKey) -> Result<ExistingState, Failure> {
        Ok(match self.found(&ObjectKey::Manifest(manifest.clone()), Depth::Checksum).await? {
            ObjectState::Content(..)
            | ObjectState::Expired(_)
            | ObjectState::Damaged(_)
            | ObjectState::Private => ExistingState::Live(None),
            ObjectState::Absent => ExistingState::Absent,
            ObjectState::Deleted(at) => ExistingState::Deleted(at),
        })
    }

    pub(super) async fn import_manifest(&self, manifest_draft: &ManifestDraft) -> Result<Imported, Failure> {
        let Some(id) = manifest_draft.manifest.id() else {
            let (kind, detail) =
                (ProblemKind::InvalidManifest.slug().to_owned(), "only a C2PA manifest has an id".to_owned());
            return Ok(Imported::Refused { kind, detail });
        };
        let manifest = ManifestKey::new(&manifest_draft.tenant, id);
        if let ExistingState::Deleted(at) = self.find_manifest(&manifest).await?
            && manifest_draft.restores != Some(at)
        {
            return Ok(Imported::Deleted(at));
        }
        let is_private = manifest_draft.visibility == Visibility::Private;
        if is_private {
            self.hide(&manifest, manifest_draft.manifest.sha256()).await?;
        }
        let readers = if is_private { "&visibility=private" } else { "" };
        let mut question = Question::new(
            Method::POST,
            format!("/v1/manifests?imported=true&tenant={}{readers}", manifest_draft.tenant),
        );
        question.body = Some(manifest_draft.manifest.bytes().clone());
        question.content_type = C2PA_TYPE;
        let answer = self.api.ask(question).await?;
        if let Some(failure) = of_another_tenant(&answer, &manifest_draft.tenant) {
            return Err(failure);
        }
        if !answer.status.is_success() {
            let problem = answer.problem();
            return Ok(Imported::Refused { kind: problem.slug().to_owned(), detail: problem.detail });
        }
        let object = StoredObject {
            key: ObjectKey::Manifest(manifest.clone()).to_string(),
            content: *manifest_draft.manifest.sha256(),
            stored: None,
            crc64nvme: None,
            coding: None,
            private: is_private,
        };
        Ok(Imported::Stored(CopiedItem::beside_proofs(Target::Manifest(manifest), vec![object])))
    }

    /// Makes a public manifest private that is private at the source and has the same content. The path names the
    /// tenant, so a credential of another tenant changes none of its own manifests.
    pub(super) async fn hide(&self, manifest: &ManifestKey, sha256: &Digest) -> Result<(), Failure> {
        let key = ObjectKey::Manifest(manifest.clone());
        match self.found(&key, Depth::Checksum).await? {
            ObjectState::Content(digest, readers)
                if digest == *sha256 && readers != Some(Visibility::Private) =>
            {
                self.withdraw_from_readers(&key).await
            }
            _ => Ok(()),
        }
    }

    /// Makes a manifest with this content private, whatever its current visibility. Returns `false` if there is none.
    pub(super) async fn make_private(
        &self,
        manifest: &ManifestKey,
        sha256: &Digest,
    ) -> Result<bool, Failure> {
        let key = ObjectKey::Manifest(manifest.clone());
        let found = self.found(&key, Depth::Checksum).await?;
        let is_there = matches!(found, ObjectState::Content(digest, _) if digest == *sha256);
        if is_there {
            self.withdraw_from_readers(&key).await?;
        }
        Ok(is_there)
    }

    async fn withdraw_from_readers(&self, key: &ObjectKey) -> Result<(), Failure> {
        let target = format!("/v1{}/visibility", exact_path(key));
        let mut question = Question::new(Method::PUT, target.clone());
        question.body = Some(Bytes::from_static(b"{\"visibility\":\"private\"}"));
        let answer = self.api.ask(question).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(()),
            // The manifest was deleted meanwhile.
            _ if answer.is_not_found() || answer.is_gone() => Ok(()),
            StatusCode::FORBIDDEN => {
                Err(failure(FailureKind::AccessDenied, format!("{target}: {}", answer.problem().detail)))
            }
            _ => Err(answer.unexpected(&target)),
        }
    }

    /// Deletes a manifest that no proof refers to.
    pub(super) async fn withdraw_manifest(
        &self,
        manifest: &ManifestKey,
        copy: &CopiedItem,
        at: Timestamp,
    ) -> Result<Withdrawal, Failure> {
        let key = ObjectKey::Manifest(manifest.clone());
        let ours = copy.objects.first().map(|object| object.content);
        match self.found(&key, Depth::Checksum).await? {
            ObjectState::Content(digest, _) if Some(digest) == ours => {}
            ObjectState::Deleted(deleted) if deleted == at => return Ok(Withdrawal::Deleted(at)),
            ObjectState::Absent => return Ok(Withdrawal::Absent),
            _ => return Ok(Withdrawal::Touched),
        }
        let target = format!("/v1{}?imported=true", exact_path(&key));
        let mut question = Question::new(Method::DELETE, target.clone());
        question.deleted = Some(at);
        let answer = self.api.ask(question).await?;
        if answer.status == StatusCode::CONFLICT {
            // Proofs refer to the manifest, or its tenant has stored it as well.
            return Ok(Withdrawal::Touched);
        }
        withdrawal(&answer, &target)
    }
}

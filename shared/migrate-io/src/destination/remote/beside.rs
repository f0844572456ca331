//! Aliases of proofs, and manifests that were stored for themselves, over the API.

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::problem::Kind;
use credlink_core::legacy::LegacyId;
use credlink_core::link::exact_path;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::media_type::C2PA_TYPE;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::time::Timestamp;
use credlink_ports::migration::ledger::{Copy, StoredObject};
use credlink_ports::migration::target::{Loose, Naming, Target};
use credlink_ports::migration::{Depth, PROOF_MISSING, Standing, TakenOver, Verdict, Withdrawal};
use credlink_ports::{Failure, FailureKind};
use http::{Method, StatusCode};

use super::{Found, Remote, of_another_tenant, withdrawal};
use crate::api::{Question, Unexpected as _, failure};
use crate::source::remote::leads_to;

fn copy(target: Target, objects: Vec<StoredObject>) -> Copy {
    let source = Digest::from_bytes([0; 32]);
    Copy { target, legacy: None, source, created: false, exact: true, objects }
}

impl Remote {
    /// Returns the proof that a legacy ID leads to, if any.
    async fn named(&self, id: &LegacyId) -> Result<Option<ProofId>, Failure> {
        let target = format!("/v1/proofs/{id}");
        leads_to(&self.api.ask(Question::new(Method::GET, target.clone())).await?, &target)
    }

    pub(super) async fn find_alias(&self, id: &LegacyId) -> Result<Standing, Failure> {
        Ok(if self.named(id).await?.is_some() { Standing::Live(None) } else { Standing::Absent })
    }

    /// Looks up a manifest. The API does not tell whether only proofs hold it; if they do, it counts as not made by
    /// this job.
    pub(super) async fn find_manifest(&self, manifest: &ManifestKey) -> Result<Standing, Failure> {
        Ok(match self.found(&ObjectKey::Manifest(manifest.clone()), Depth::Checksum).await? {
            Found::Content(..) | Found::Expired(_) | Found::Damaged(_) | Found::Private => {
                Standing::Live(None)
            }
            Found::Absent => Standing::Absent,
            Found::Deleted(at) => Standing::Deleted(at),
        })
    }

    pub(super) async fn bind(&self, naming: &Naming) -> Result<TakenOver, Failure> {
        let proof = &naming.proof;
        let missing = |detail| TakenOver::Refused { kind: PROOF_MISSING.to_owned(), detail };
        let target = format!("/v1{}", exact_path(&ObjectKey::Record(*proof)));
        let current = self.api.ask(Question::object(target.clone())).await?;
        match current.status {
            StatusCode::OK => {}
            _ if current.is_not_found() => {
                return Ok(missing(format!("it names {proof}, which is not there")));
            }
            _ if current.is_gone() => {
                let problem = current.problem();
                return Ok(match problem.deleted() {
                    Some(at) => TakenOver::Deleted(at),
                    None => missing(problem.detail),
                });
            }
            _ => return Err(current.unexpected(&target)),
        }
        let record = Record::parse(&current.body)
            .map_err(|error| failure(FailureKind::Damaged, format!("{target}: {error}")))?;
        if record.manifest.sha256 != naming.manifest_sha256 || record.signature != naming.signature {
            let detail = format!("it names {proof}, which has another manifest or signature there");
            return Ok(TakenOver::Conflict { detail });
        }
        let mut question = Question::new(Method::PUT, format!("/v1/aliases/{}", naming.id));
        question.body = Some(format!("{{\"proof\":\"{proof}\"}}").into());
        let answer = self.api.ask(question).await?;
        if answer.status.is_success() {
            let target = Target::Alias { id: naming.id.clone(), proof: *proof };
            return Ok(TakenOver::Stored(copy(target, Vec::new())));
        }
        let problem = answer.problem();
        Ok(match answer.status {
            StatusCode::NOT_FOUND if problem.slug() == Kind::NotFound.slug() => missing(problem.detail),
            _ => TakenOver::Refused { kind: problem.slug().to_owned(), detail: problem.detail },
        })
    }

    /// Makes a public manifest private that is private at the source and has the same content. The path names the
    /// tenant, so a credential of another tenant changes none of its own manifests.
    pub(super) async fn hide(&self, manifest: &ManifestKey, sha256: &Digest) -> Result<(), Failure> {
        let key = ObjectKey::Manifest(manifest.clone());
        match self.found(&key, Depth::Checksum).await? {
            Found::Content(digest, readers) if digest == *sha256 && readers != Some(Visibility::Private) => {
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
        let is_there = matches!(found, Found::Content(digest, _) if digest == *sha256);
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

    pub(super) async fn keep(&self, loose: &Loose) -> Result<TakenOver, Failure> {
        let Some(id) = loose.manifest.id() else {
            let (kind, detail) =
                (Kind::InvalidManifest.slug().to_owned(), "only a C2PA manifest has an id".to_owned());
            return Ok(TakenOver::Refused { kind, detail });
        };
        let manifest = ManifestKey::new(&loose.tenant, id);
        if let Standing::Deleted(at) = self.find_manifest(&manifest).await?
            && loose.restores != Some(at)
        {
            return Ok(TakenOver::Deleted(at));
        }
        let is_private = loose.visibility == Visibility::Private;
        if is_private {
            self.hide(&manifest, loose.manifest.sha256()).await?;
        }
        let readers = if is_private { "&visibility=private" } else { "" };
        let mut question = Question::new(
            Method::POST,
            format!("/v1/manifests?imported=true&tenant={}{readers}", loose.tenant),
        );
        question.body = Some(loose.manifest.bytes().clone());
        question.content_type = C2PA_TYPE;
        let answer = self.api.ask(question).await?;
        if let Some(failure) = of_another_tenant(&answer, &loose.tenant) {
            return Err(failure);
        }
        if !answer.status.is_success() {
            let problem = answer.problem();
            return Ok(TakenOver::Refused { kind: problem.slug().to_owned(), detail: problem.detail });
        }
        let object = StoredObject {
            key: ObjectKey::Manifest(manifest.clone()).to_string(),
            content: *loose.manifest.sha256(),
            stored: None,
            crc64nvme: None,
            coding: None,
            private: is_private,
        };
        Ok(TakenOver::Stored(copy(Target::Manifest(manifest), vec![object])))
    }

    /// Checks an alias. Returns a verdict if it is wrong.
    pub(super) async fn check_alias(
        &self,
        id: &LegacyId,
        proof: &ProofId,
    ) -> Result<Option<Verdict>, Failure> {
        Ok(match self.named(id).await? {
            None => Some(Verdict::Missing(format!("the legacy id `{id}` leads nowhere"))),
            Some(other) if other != *proof => {
                Some(Verdict::Changed(format!("the legacy id `{id}` leads to {other}")))
            }
            Some(_) => None,
        })
    }

    pub(super) async fn withdraw_alias(&self, id: &LegacyId, proof: &ProofId) -> Result<Withdrawal, Failure> {
        let target = format!("/v1/aliases/{id}?proof={proof}");
        let answer = self.api.ask(Question::new(Method::DELETE, target.clone())).await?;
        withdrawal(&answer, &target)
    }

    /// Deletes a manifest that no proof refers to.
    pub(super) async fn withdraw_manifest(
        &self,
        manifest: &ManifestKey,
        copied: &Copy,
        at: Timestamp,
    ) -> Result<Withdrawal, Failure> {
        let key = ObjectKey::Manifest(manifest.clone());
        let ours = copied.objects.first().map(|object| object.content);
        match self.found(&key, Depth::Checksum).await? {
            Found::Content(digest, _) if Some(digest) == ours => {}
            Found::Deleted(deleted) if deleted == at => return Ok(Withdrawal::Deleted(at)),
            Found::Absent => return Ok(Withdrawal::Absent),
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

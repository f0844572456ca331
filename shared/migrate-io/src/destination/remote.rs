//! Another CredLink as a destination, over its API. The credential needs the scope `admin`.
//!
//! * **Importing** is a `POST /v1/proofs` with the first draft's `origin`, and a `PUT` with `If-Match` for each further
//!   draft. The destination's state is known by its `ETag`, the SHA-256 of the record, so an interrupted import resumes
//!   where it ended.
//! * **Tenants.** The API stores under its credential's tenant. Each request names the intended tenant, so a credential
//!   of another tenant stores nothing.
//! * **Visibility of a manifest** is read from the `Cache-Control` of the answer. A manifest that is private at the
//!   source is made private at the destination.
//! * **Verification** compares the `ETag` of a `HEAD`, which the service computes from checked content, or else the
//!   content itself. The service treats a wrong content coding as damage and reports it as such.
//! * **Withdrawal** is a deletion with `If-Match` and the instant that it is to record. If the answer is lost, that
//!   instant identifies the deletion afterwards.

mod aliases;
mod import;
mod manifests;
mod object;
mod steps;
mod upload;

use credlink_core::http::deletion::DELETED;
use credlink_core::http::problem::ProblemKind;
use credlink_core::link::exact_path;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::time::Timestamp;
use credlink_ports::migration::ledger::CopiedItem;
use credlink_ports::migration::proof_content::ProofContent;
use credlink_ports::migration::target::{Payload, Target};
use credlink_ports::migration::{Depth, Destination, ExistingState, Imported, Verdict, Withdrawal};
use credlink_ports::{Failure, FailureKind, Page};
use http::{Method, StatusCode};

use object::ObjectState;
use steps::Steps;

use crate::api::{Answer, Api, NAME, Question, TokenError, Unexpected as _, failure};
use crate::side::Side;
use crate::source::remote::{page, side};

/// Maximum number of attempts at a proof that others keep changing.
const MAX_ATTEMPTS: usize = 8;

/// Another CredLink as a destination.
#[derive(Debug)]
pub struct Remote {
    api: Api,
}

impl Remote {
    /// Creates a destination for the CredLink at `url`.
    ///
    /// # Errors
    /// Fails if the token is not a valid header value.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, TokenError> {
        Ok(Self { api: Api::new(url, token)? })
    }

    /// Returns the store, and the tenant of the credential.
    pub async fn side(&self) -> Result<Side, Failure> {
        side(&self.api).await
    }
}

/// Interprets the answer to a conditional deletion at `target`.
fn withdrawal(answer: &Answer, target: &str) -> Result<Withdrawal, Failure> {
    let at = answer.headers.get(DELETED).and_then(|value| value.to_str().ok()?.parse().ok());
    match (answer.status, at) {
        (StatusCode::NO_CONTENT, Some(at)) => Ok(Withdrawal::Deleted(at)),
        (StatusCode::NO_CONTENT, None) => Ok(Withdrawal::Absent),
        (StatusCode::PRECONDITION_FAILED, _) => Ok(Withdrawal::Touched),
        (StatusCode::FORBIDDEN, _) => {
            Err(failure(FailureKind::AccessDenied, format!("{target}: {}", answer.problem().detail)))
        }
        _ => Err(answer.unexpected(target)),
    }
}

impl Destination for Remote {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn find(&self, target: &Target) -> Result<ExistingState, Failure> {
        let id = match target {
            Target::Proof(id) => id,
            Target::Alias { id, .. } => return self.find_alias(id).await,
            Target::Manifest(id) => return self.find_manifest(id).await,
        };
        let (found, body) = self.read(&ObjectKey::Record(*id), Depth::Content).await?;
        Ok(match found {
            ObjectState::Content(..) => ExistingState::Live(
                Record::parse(&body)
                    .ok()
                    .map(|record| ProofContent::new(record.manifest.sha256, record.signature.as_deref())),
            ),
            // An expired proof is live until it is cleaned up.
            ObjectState::Expired(_) | ObjectState::Damaged(_) | ObjectState::Private => {
                ExistingState::Live(None)
            }
            ObjectState::Absent => ExistingState::Absent,
            ObjectState::Deleted(at) => ExistingState::Deleted(at),
        })
    }

    async fn import(&self, payload: &Payload) -> Result<Imported, Failure> {
        let drafts = match payload {
            Payload::Proof(drafts) => drafts,
            Payload::Alias(alias_draft) => return self.import_alias(alias_draft).await,
            Payload::Manifest(manifest_draft) => return self.import_manifest(manifest_draft).await,
        };
        let Some(steps) = Steps::of(drafts) else {
            let (kind, detail) =
                (ProblemKind::InvalidRequest.slug().to_owned(), "a proof has at least one record".to_owned());
            return Ok(Imported::Refused { kind, detail });
        };
        // Making a manifest private takes one more attempt for each draft.
        for _ in 0..MAX_ATTEMPTS + steps.count() {
            if let Some(outcome) = self.advance(&steps).await? {
                return Ok(outcome);
            }
        }
        Err(failure(FailureKind::Unavailable, format!("{}: other processes kept changing it", steps.id())))
    }

    async fn verify(&self, copy: &CopiedItem, depth: Depth) -> Result<Verdict, Failure> {
        for object in &copy.objects {
            if let Some(verdict) = self.verify_object(object, depth).await? {
                return Ok(verdict);
            }
        }
        let name = match &copy.target {
            Target::Proof(id) => copy.legacy.as_ref().zip(Some(id)),
            Target::Alias { id, proof } => Some((id, proof)),
            Target::Manifest(_) => None,
        };
        let wrong = match name {
            Some((id, proof)) => self.check_alias(id, proof).await?,
            None => None,
        };
        Ok(wrong.unwrap_or(Verdict::Verified {
            by: if copy.objects.is_empty() { Depth::Content } else { depth },
        }))
    }

    async fn withdraw(&self, copy: &CopiedItem, at: Timestamp) -> Result<Withdrawal, Failure> {
        let id = match &copy.target {
            Target::Proof(id) => id,
            Target::Alias { id, proof } => return self.withdraw_alias(id, proof).await,
            Target::Manifest(id) => return self.withdraw_manifest(id, copy, at).await,
        };
        let key = ObjectKey::Record(*id);
        let Some(ours) = copy.objects.first().map(|record| record.content) else {
            return Ok(Withdrawal::Touched);
        };
        match self.found(&key, Depth::Checksum).await? {
            ObjectState::Absent => return Ok(Withdrawal::Absent),
            ObjectState::Deleted(deleted) if deleted == at => return Ok(Withdrawal::Deleted(at)),
            ObjectState::Content(digest, _) if digest != ours => return Ok(Withdrawal::Touched),
            ObjectState::Deleted(_) | ObjectState::Private => return Ok(Withdrawal::Touched),
            // The precondition of the deletion decides.
            ObjectState::Content(..) | ObjectState::Expired(_) | ObjectState::Damaged(_) => {}
        }
        let target = format!("/v1{}", exact_path(&key));
        let mut question = Question::new(Method::DELETE, target.clone());
        question.if_match = Some(ours);
        question.deleted = Some(at);
        withdrawal(&self.api.ask(question).await?, &target)
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<ProofId>, Failure> {
        let page = page(&self.api, after, limit).await?;
        Ok(Page { items: page.proofs.into_iter().map(|listed| listed.id).collect(), next: page.next })
    }
}

//! Another CredLink as a destination, by its API. The credential needs the scope `admin`.
//!
//! * **Taking over** is `POST /v1/proofs` with the first draft's `origin`, and a `PUT` with `If-Match` for each further one.
//!   What stands there is known by its `ETag`, the SHA-256 of the record: whoever was cut off goes on where it stands.
//! * **Tenants.** The API stores for its credential's tenant. Each request names the tenant that is meant, so that a credential of
//!   another one stores nothing.
//! * **Who may read a manifest** is in the `Cache-Control` of the answer. One that is private at the source is withdrawn there.
//! * **Verifying** goes by the `ETag` of a `HEAD`, which the service says of content that it has checked, or by the content
//!   itself. A content coding that is said wrongly is damage to the service, and is told as such.
//! * **Withdrawing** is a deletion with `If-Match` and the instant that it shall have. One whose answer got lost is known again
//!   by that.

mod beside;
mod steps;
mod upload;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::deletion::DELETED;
use credlink_core::http::problem::Kind;
use credlink_core::link::exact_path;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::proof_content::{ProofContent, difference_in_readers};
use credlink_ports::migration::target::{Payload, Target};
use credlink_ports::migration::{Depth, Destination, Imported, Standing, Verdict, Withdrawal};
use credlink_ports::{Failure, FailureKind, Page};
use http::{Method, StatusCode};

use steps::{Next, Steps};

use crate::api::{Answer, Api, NAME, Question, TokenError, failure};
use crate::side::Side;
use crate::source::remote::{page, side};

/// How often a proof is looked at again that others change.
const MAX_ATTEMPTS: usize = 8;

/// Another CredLink.
#[derive(Debug)]
pub struct Remote {
    api: Api,
}

/// What stands under a key.
enum Found {
    /// Content with this digest, and who may read it, where the answer tells.
    Content(Digest, Option<Visibility>),
    /// Nothing, and it never did.
    Absent,
    /// It was deleted, at this instant.
    Deleted(Timestamp),
    /// It has expired: in words.
    Expired(String),
    /// It is damaged: in words.
    Damaged(String),
    /// It belongs to others, who do not show it.
    Private,
}

impl Remote {
    /// The CredLink at `url`.
    ///
    /// # Errors
    /// A token that is none.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, TokenError> {
        Ok(Self { api: Api::new(url, token)? })
    }

    /// The store, and the tenant of the credential.
    pub async fn side(&self) -> Result<Side, Failure> {
        side(&self.api).await
    }

    /// What stands under `key`: as the service says, or by its content.
    async fn found(&self, key: &ObjectKey, depth: Depth) -> Result<Found, Failure> {
        Ok(self.read(key, depth).await?.0)
    }

    /// The same, with the content where it was asked for.
    async fn read(&self, key: &ObjectKey, depth: Depth) -> Result<(Found, Bytes), Failure> {
        let target = format!("/v1{}", exact_path(key));
        let answer = match depth {
            Depth::Checksum => self.api.look(&target).await,
            Depth::Content => self.api.ask(Question::object(target.clone())).await,
        };
        let answer = match answer {
            Err(failure) if failure.kind == FailureKind::Damaged => {
                return Ok((Found::Damaged(failure.message), Bytes::new()));
            }
            answer => answer?,
        };
        let found = match answer.status {
            StatusCode::OK if depth == Depth::Content => {
                Found::Content(Digest::of(&answer.body), answer.visibility())
            }
            StatusCode::OK => {
                let digest = answer.digest().ok_or_else(|| answer.unexpected(&target))?;
                Found::Content(digest, answer.visibility())
            }
            _ if answer.is_not_found() => Found::Absent,
            StatusCode::FORBIDDEN => Found::Private,
            StatusCode::GONE => {
                let problem = answer.problem();
                match problem.deleted() {
                    Some(at) => Found::Deleted(at),
                    None if problem.slug() == Kind::Expired.slug() => Found::Expired(problem.detail),
                    None => return Err(answer.unexpected(&target)),
                }
            }
            _ => return Err(answer.unexpected(&target)),
        };
        Ok((found, answer.body))
    }

    /// The outcome of a refusal; `None`: look at the world again.
    fn refused(&self, answer: &Answer) -> Option<Imported> {
        let problem = answer.problem();
        let again = [Kind::NotFound, Kind::Expired, Kind::PreconditionFailed, Kind::Contended];
        match problem.deleted() {
            Some(at) => Some(Imported::Deleted(at)),
            None if again.iter().any(|kind| kind.slug() == problem.slug()) => None,
            None if problem.slug().is_empty() => {
                // What stands before the service refuses without a problem document.
                let detail = format!("it answers {}", answer.status);
                Some(Imported::Refused { kind: String::new(), detail })
            }
            None => Some(Imported::Refused { kind: problem.slug().to_owned(), detail: problem.detail }),
        }
    }

    /// One step of taking over. `None`: look at the world again.
    async fn advance(&self, steps: &Steps<'_>) -> Result<Option<Imported>, Failure> {
        let (question, mut asked) = steps.first();
        let mut answer = self.api.ask(question).await?;
        loop {
            if !answer.status.is_success() {
                if answer.status.is_client_error() {
                    if let Some(failure) = of_another_tenant(&answer, &asked.tenant) {
                        return Err(failure);
                    }
                    return self.make_way(asked, &answer).await;
                }
                return Err(answer.unexpected("POST /v1/proofs"));
            }
            match steps.next(&answer)? {
                Next::Done(outcome) => return self.hidden(steps, outcome).await.map(Some),
                Next::Ask(question, draft) => {
                    answer = self.api.ask(question).await?;
                    asked = draft;
                }
                Next::Compare(reply) => {
                    let target = format!("/v1{}", exact_path(&ObjectKey::Record(steps.id())));
                    let current = self.api.ask(Question::object(target)).await?;
                    let Ok(record) = Record::parse(&current.body) else { return Ok(None) };
                    if current.status != StatusCode::OK || current.digest() != Some(reply.tag) {
                        return Ok(None);
                    }
                    if !steps.ends_as(&record) {
                        return Ok(Some(steps.conflict(&reply)));
                    }
                    if steps.is_published_by(&record) {
                        return Ok(Some(Imported::Conflict { detail: difference_in_readers(&steps.id()) }));
                    }
                    let bound = self.api.ask(steps.last()).await?;
                    return if bound.status.is_success() {
                        self.hidden(steps, Imported::Equal(steps.standing(&reply))).await.map(Some)
                    } else {
                        Ok(self.refused(&bound))
                    };
                }
            }
        }
    }

    /// The outcome of a refusal to store a draft; `None`: look at the world again. A manifest that is private at the source and
    /// public there is withdrawn, where nothing else is in the draft's way.
    async fn make_way(&self, draft: &Draft, answer: &Answer) -> Result<Option<Imported>, Failure> {
        let is_in_the_way = answer.problem().slug() == Kind::VisibilityConflict.slug();
        let manifest = draft.manifest_key().filter(|_| is_in_the_way && draft.has_private_manifest());
        let Some(manifest) = manifest else { return Ok(self.refused(answer)) };
        let restores = draft.origin.as_ref().and_then(|origin| origin.restores);
        if let Found::Deleted(at) = self.found(&ObjectKey::Record(draft.id()), Depth::Checksum).await?
            && restores != Some(at)
        {
            return Ok(Some(Imported::Deleted(at)));
        }
        if self.make_private(&manifest, draft.manifest.sha256()).await? {
            return Ok(None);
        }
        Ok(self.refused(answer))
    }

    /// The outcome, where the proof is there as its source has it with its private manifests withdrawn.
    async fn hidden(&self, steps: &Steps<'_>, outcome: Imported) -> Result<Imported, Failure> {
        if matches!(outcome, Imported::Stored(_) | Imported::Equal(_)) {
            for (manifest, sha256) in steps.private_manifests() {
                self.hide(&manifest, sha256).await?;
            }
        }
        Ok(outcome)
    }

    async fn verify_object(&self, object: &StoredObject, depth: Depth) -> Result<Option<Verdict>, Failure> {
        let Ok(key) = object.key.parse::<ObjectKey>() else {
            return Ok(Some(Verdict::Missing(format!("{} is no key of an object", object.key))));
        };
        Ok(match self.found(&key, depth).await? {
            Found::Content(digest, readers) if digest == object.content => {
                Verdict::of_readers(object, readers)
            }
            Found::Content(digest, _) => Some(match &key {
                ObjectKey::Record(id) => self.replaced(id, &object.content, &digest).await?,
                ObjectKey::Revision(..)
                | ObjectKey::Manifest(_)
                | ObjectKey::Front(_)
                | ObjectKey::Alias(_)
                | ObjectKey::Hold(..)
                | ObjectKey::Removed(..)
                | ObjectKey::Identity => Verdict::Corrupted(format!(
                    "{key}: the content has the SHA-256 {digest}; {} was copied",
                    object.content
                )),
            }),
            Found::Absent => Some(Verdict::Missing(format!("{key} is not there"))),
            Found::Deleted(at) => Some(Verdict::Changed(format!("{key} was deleted on {at}"))),
            Found::Expired(detail) => Some(Verdict::Changed(format!("{key}: {detail}"))),
            Found::Damaged(detail) => Some(Verdict::Corrupted(format!("{key}: {detail}"))),
            Found::Private => {
                return Err(failure(
                    FailureKind::AccessDenied,
                    format!("{key}: the credential may not read it"),
                ));
            }
        })
    }

    /// What it means that another record stands there: a replacement leaves the earlier record under its revision.
    async fn replaced(&self, id: &ProofId, copied: &Digest, found: &Digest) -> Result<Verdict, Failure> {
        let target = format!("/v1{}", exact_path(&ObjectKey::Record(*id)));
        let answer = self.api.ask(Question::object(target.clone())).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.unexpected(&target));
        }
        let record = Record::parse(&answer.body)
            .map_err(|error| failure(FailureKind::Damaged, format!("{target}: {error}")))?;
        for revision in (record.first_revision..record.revision).rev() {
            let earlier = self.found(&ObjectKey::Revision(*id, revision), Depth::Checksum).await?;
            if matches!(earlier, Found::Content(digest, _) if digest == *copied) {
                let detail = format!(
                    "{id} was replaced: it has the revision {} of {}",
                    record.revision, record.created
                );
                return Ok(Verdict::Changed(detail));
            }
        }
        if record.first_revision > 1 {
            return Ok(Verdict::Changed(format!("{id} was deleted and stored again on {}", record.created)));
        }
        Ok(Verdict::Corrupted(format!("{id}: the record has the SHA-256 {found}; {copied} was copied")))
    }
}

/// The failure that a credential of another tenant than `tenant` is; `None` where the answer says nothing of tenants.
fn of_another_tenant(answer: &Answer, tenant: &Tenant) -> Option<Failure> {
    let problem = answer.problem();
    (problem.slug() == Kind::OtherTenant.slug()).then(|| {
        let what = format!(
            "the token is not one of the tenant `{tenant}`, for which this job is (--tenant): {}",
            problem.detail
        );
        failure(FailureKind::AccessDenied, what)
    })
}

/// What the answer to a conditional deletion at `target` means.
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

    async fn find(&self, target: &Target) -> Result<Standing, Failure> {
        let id = match target {
            Target::Proof(id) => id,
            Target::Alias { id, .. } => return self.find_alias(id).await,
            Target::Manifest(id) => return self.find_manifest(id).await,
        };
        let (found, body) = self.read(&ObjectKey::Record(*id), Depth::Content).await?;
        Ok(match found {
            Found::Content(..) => Standing::Live(
                Record::parse(&body)
                    .ok()
                    .map(|record| ProofContent::new(record.manifest.sha256, record.signature.as_deref())),
            ),
            // What has expired is a live proof until it is cleaned up.
            Found::Expired(_) | Found::Damaged(_) | Found::Private => Standing::Live(None),
            Found::Absent => Standing::Absent,
            Found::Deleted(at) => Standing::Deleted(at),
        })
    }

    async fn import(&self, payload: &Payload) -> Result<Imported, Failure> {
        let drafts = match payload {
            Payload::Proof(drafts) => drafts,
            Payload::Alias(alias_draft) => return self.bind(alias_draft).await,
            Payload::Manifest(manifest_draft) => return self.keep(manifest_draft).await,
        };
        let Some(steps) = Steps::of(drafts) else {
            let (kind, detail) =
                (Kind::InvalidRequest.slug().to_owned(), "a proof has at least one record".to_owned());
            return Ok(Imported::Refused { kind, detail });
        };
        // Each manifest that has to be withdrawn takes one.
        for _ in 0..MAX_ATTEMPTS + steps.count() {
            if let Some(outcome) = self.advance(&steps).await? {
                return Ok(outcome);
            }
        }
        Err(failure(FailureKind::Unavailable, format!("{}: others kept changing it", steps.id())))
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
            Found::Absent => return Ok(Withdrawal::Absent),
            Found::Deleted(deleted) if deleted == at => return Ok(Withdrawal::Deleted(at)),
            Found::Content(digest, _) if digest != ours => return Ok(Withdrawal::Touched),
            Found::Deleted(_) | Found::Private => return Ok(Withdrawal::Touched),
            // The condition of the deletion decides.
            Found::Content(..) | Found::Expired(_) | Found::Damaged(_) => {}
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

//! Imports a proof step by step, and resumes where an earlier import ended.

use credlink_core::http::problem::ProblemKind;
use credlink_core::link::exact_path;
use credlink_core::object::ObjectKey;
use credlink_core::record::Record;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_ports::migration::proof_content::difference_in_readers;
use credlink_ports::migration::{Depth, Imported};
use credlink_ports::{Failure, FailureKind};
use http::StatusCode;

use super::Remote;
use super::object::ObjectState;
use super::steps::{Next, Steps};
use crate::api::{Answer, Question, Unexpected as _, failure};

impl Remote {
    /// Returns the outcome of a refusal, or `None` if the import must start over from the current state.
    fn refused(&self, answer: &Answer) -> Option<Imported> {
        let problem = answer.problem();
        let again = [
            ProblemKind::NotFound,
            ProblemKind::Expired,
            ProblemKind::PreconditionFailed,
            ProblemKind::Contended,
        ];
        match problem.deleted() {
            Some(at) => Some(Imported::Deleted(at)),
            None if again.iter().any(|kind| kind.slug() == problem.slug()) => None,
            None if problem.slug().is_empty() => {
                // A proxy in front of the service refuses without a problem document.
                let detail = format!("it answers {}", answer.status);
                Some(Imported::Refused { kind: String::new(), detail })
            }
            None => Some(Imported::Refused { kind: problem.slug().to_owned(), detail: problem.detail }),
        }
    }

    /// Makes one pass of an import. Returns `None` if the import must start over from the current state.
    pub(super) async fn advance(&self, steps: &Steps<'_>) -> Result<Option<Imported>, Failure> {
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

    /// Handles a refusal to store a draft. Returns its outcome, or `None` if the import must start over from the
    /// current state. A manifest that is private at the source and public at the destination is made private, if
    /// nothing else prevents the import.
    async fn make_way(&self, draft: &Draft, answer: &Answer) -> Result<Option<Imported>, Failure> {
        let is_in_the_way = answer.problem().slug() == ProblemKind::VisibilityConflict.slug();
        let manifest = draft.manifest_key().filter(|_| is_in_the_way && draft.has_private_manifest());
        let Some(manifest) = manifest else { return Ok(self.refused(answer)) };
        let restores = draft.origin.as_ref().and_then(|origin| origin.restores);
        if let ObjectState::Deleted(at) = self.found(&ObjectKey::Record(draft.id()), Depth::Checksum).await?
            && restores != Some(at)
        {
            return Ok(Some(Imported::Deleted(at)));
        }
        if self.make_private(&manifest, draft.manifest.sha256()).await? {
            return Ok(None);
        }
        Ok(self.refused(answer))
    }

    /// Makes the private manifests of an imported proof private, and returns the outcome.
    async fn hidden(&self, steps: &Steps<'_>, outcome: Imported) -> Result<Imported, Failure> {
        if matches!(outcome, Imported::Stored(_) | Imported::Equal(_)) {
            for (manifest, sha256) in steps.private_manifests() {
                self.hide(&manifest, sha256).await?;
            }
        }
        Ok(outcome)
    }
}

/// Returns a failure if the answer says that the credential belongs to another tenant than `tenant`.
pub(super) fn of_another_tenant(answer: &Answer, tenant: &Tenant) -> Option<Failure> {
    let problem = answer.problem();
    (problem.slug() == ProblemKind::OtherTenant.slug()).then(|| {
        let what = format!(
            "the token is not one of the tenant `{tenant}`, for which this job is (--tenant): {}",
            problem.detail
        );
        failure(FailureKind::AccessDenied, what)
    })
}

//! Aliases of proofs, over the API.

use credlink_core::http::problem::ProblemKind;
use credlink_core::legacy::LegacyId;
use credlink_core::link::exact_path;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_ports::migration::ledger::CopiedItem;
use credlink_ports::migration::target::{AliasDraft, Target};
use credlink_ports::migration::{ExistingState, Imported, PROOF_MISSING, Verdict, Withdrawal};
use credlink_ports::{Failure, FailureKind};
use http::{Method, StatusCode};

use super::{Remote, withdrawal};
use crate::api::{Question, Unexpected as _, failure};
use crate::source::remote::proof_named;

impl Remote {
    pub(super) async fn find_alias(&self, id: &LegacyId) -> Result<ExistingState, Failure> {
        Ok(if proof_named(&self.api, id).await?.is_some() {
            ExistingState::Live(None)
        } else {
            ExistingState::Absent
        })
    }

    pub(super) async fn import_alias(&self, alias_draft: &AliasDraft) -> Result<Imported, Failure> {
        let proof = &alias_draft.proof;
        let missing = |detail| Imported::Refused { kind: PROOF_MISSING.to_owned(), detail };
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
                    Some(at) => Imported::Deleted(at),
                    None => missing(problem.detail),
                });
            }
            _ => return Err(current.unexpected(&target)),
        }
        let record = Record::parse(&current.body)
            .map_err(|error| failure(FailureKind::Damaged, format!("{target}: {error}")))?;
        if record.manifest.sha256 != alias_draft.manifest_sha256 || record.signature != alias_draft.signature
        {
            let detail = format!("it names {proof}, which has another manifest or signature there");
            return Ok(Imported::Conflict { detail });
        }
        let mut question = Question::new(Method::PUT, format!("/v1/aliases/{}", alias_draft.id));
        question.body = Some(format!("{{\"proof\":\"{proof}\"}}").into());
        let answer = self.api.ask(question).await?;
        if answer.status.is_success() {
            let target = Target::Alias { id: alias_draft.id.clone(), proof: *proof };
            return Ok(Imported::Stored(CopiedItem::beside_proofs(target, Vec::new())));
        }
        let problem = answer.problem();
        Ok(match answer.status {
            StatusCode::NOT_FOUND if problem.slug() == ProblemKind::NotFound.slug() => {
                missing(problem.detail)
            }
            _ => Imported::Refused { kind: problem.slug().to_owned(), detail: problem.detail },
        })
    }

    /// Checks an alias. Returns a verdict if it is wrong.
    pub(super) async fn check_alias(
        &self,
        id: &LegacyId,
        proof: &ProofId,
    ) -> Result<Option<Verdict>, Failure> {
        Ok(match proof_named(&self.api, id).await? {
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
}

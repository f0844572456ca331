//! Migrations through the queue.

use bytes::Bytes;
use credlink_core::access::{Caller, Scope};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::job_name::JobName;
use credlink_core::rules::migration::MigrationBody;
use http::StatusCode;
use http::header::LOCATION;
use serde::Serialize;

use credlink_ports::Ports;
use credlink_ports::migration::jobs::{
    BeginOutcome, JobError, JobRequest, Jobs as _, Progress, RemovalOutcome,
};

use crate::error::Error;
use crate::service::Service;

/// Begin a migration
///
/// Queues a message that starts the listing of the source; the items are then copied from the queue. Repeating the
/// request for the same job starts another run, which does not repeat completed work. The operator's configuration
/// lists the permitted sources, and the tenant that will own the proofs.
#[utoipa::path(
    post, path = "/v1/migrations", tag = "migrations", operation_id = "beginMigration",
    request_body = MigrationBody,
    responses(
        (status = 202, description = "The job is queued", body = Progress, headers(("location" = String, description = "The address of the job's progress"))),
        (status = 403, description = "The operator has not listed the source, or the scope `operator` is missing"),
        (status = 409, description = "A job with this name has another source or destination, or is being listed or removed"),
        (status = 501, description = "No queue or no table is configured"),
    ),
    security(("token" = ["operator"]))
)]
pub(crate) async fn begin_migration<P: Ports>(
    service: &Service<P>,
    body: Bytes,
    request_id: &str,
) -> Result<Reply, Error> {
    let body = service.read(body, |body| MigrationBody::parse(&body)).await?;
    let job_request = JobRequest {
        batch_size: body.batch_size(),
        name: body.name,
        from: body.from,
        request_id: request_id.to_owned(),
    };
    match service.ports.jobs().begin(&job_request).await.map_err(job_error)? {
        BeginOutcome::Queued(job) => {
            let location = format!("/v1/migrations/{}", job.name);
            Ok(Reply::json(StatusCode::ACCEPTED, &Progress::of(job)).with(LOCATION, &location))
        }
        BeginOutcome::Held => {
            let detail = format!(
                "the source of the job `{}` is being listed; try again when it is done",
                job_request.name
            );
            Err(Problem::new(ProblemKind::Contended, detail).into())
        }
        BeginOutcome::Removing => {
            let detail = format!(
                "the job `{0}` is being removed, or left something when it was; `DELETE /v1/migrations/{0}` ends that, and then its name is \
                 free",
                job_request.name
            );
            Err(Problem::new(ProblemKind::JobConflict, detail).at("name").into())
        }
        BeginOutcome::Differs(job) => {
            let whose = if job.keep_tenants {
                "whose proofs keep their tenants".to_owned()
            } else {
                format!("for the tenant `{}`", job.tenant)
            };
            let detail = format!(
                "the job `{}` is from {} to {}, {whose}; take another name, or remove that job",
                job.name, job.from, job.to
            );
            Err(Problem::new(ProblemKind::JobConflict, detail).at("name").into())
        }
    }
}

/// Show the progress of a migration
///
/// Counts the items of at most 20,000 entries per request. If there are more, `next` says where to continue. An
/// operator sees every job; an administrator sees the jobs whose proofs become those of the administrator's tenant.
#[utoipa::path(
    get, path = "/v1/migrations/{job}", tag = "migrations", operation_id = "showMigration",
    params(
        ("job" = JobName, Path, description = "The name of the job"),
        ("after" = Option<String>, Query, description = "The `next` of the previous answer"),
    ),
    responses(
        (status = 200, description = "The job, and its items by outcome", body = Progress),
        (status = 404, description = "There is no such job"),
        (status = 501, description = "No queue or no table is configured"),
    ),
    security(("token" = ["admin"]))
)]
pub(crate) async fn show_migration<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    job: &JobName,
    after: Option<&str>,
) -> Result<Reply, Error> {
    let progress = service.ports.jobs().progress(job, after).await.map_err(job_error)?;
    let is_shown = |progress: &Progress| {
        caller.may(Scope::Operator) || !progress.keep_tenants && progress.tenant == caller.tenant
    };
    match progress.filter(is_shown) {
        Some(progress) => Ok(Reply::json(StatusCode::OK, &progress)),
        None => Err(Problem::new(ProblemKind::NotFound, format!("there is no job `{job}`")).into()),
    }
}

/// Remove a migration
///
/// Removes the job's ledger and frees its name. Proofs stay, both in the source and here, but this job can no longer
/// roll them back or clean up its source. A job that is being listed is not removed. Neither is an unfinished job,
/// whose source is not completely listed or whose items still wait to be copied, unless `abandon` is `true`. Remaining
/// messages of a removed job have no effect.
#[utoipa::path(
    delete, path = "/v1/migrations/{job}", tag = "migrations", operation_id = "removeMigration",
    params(
        ("job" = JobName, Path, description = "The name of the job"),
        ("abandon" = Option<bool>, Query, description = "`true` if the job is to be removed even if it is unfinished; `false` by default"),
    ),
    responses(
        (status = 204, description = "The job is removed"),
        (status = 202, description = "The time did not suffice for all of the entries; a repeated request continues the removal", body = Removal),
        (status = 404, description = "There is no such job"),
        (status = 409, description = "The job is being listed, or is unfinished"),
        (status = 501, description = "No table is configured"),
    ),
    security(("token" = ["operator"]))
)]
pub(crate) async fn remove_migration<P: Ports>(
    service: &Service<P>,
    job: &JobName,
    abandon: bool,
) -> Result<Reply, Error> {
    match service.ports.jobs().remove(job, abandon).await.map_err(job_error)? {
        RemovalOutcome::Done => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        RemovalOutcome::Partly(removed) => {
            Ok(Reply::json(StatusCode::ACCEPTED, &Removal { job: job.clone(), removed }))
        }
        RemovalOutcome::Absent => {
            Err(Problem::new(ProblemKind::NotFound, format!("there is no job `{job}`")).into())
        }
        RemovalOutcome::Held => {
            let detail = format!("a run has the job `{job}`; try again when it is done");
            Err(Problem::new(ProblemKind::Contended, detail).into())
        }
        RemovalOutcome::Unfinished(why) => {
            let detail =
                format!("the job `{job}` is not over: {why}; `abandon=true` removes it all the same");
            Err(Problem::new(ProblemKind::JobConflict, detail).at("abandon").into())
        }
    }
}

/// A partly removed job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Removal {
    /// The name of the job.
    #[schema(value_type = String)]
    job: JobName,
    /// Entries that this request removed; more remain.
    removed: u64,
}

fn job_error(error: JobError) -> Error {
    match error {
        JobError::NotConfigured(what) => Problem::new(ProblemKind::NotConfigured, what).into(),
        JobError::NotListed(why) => Problem::new(ProblemKind::SourceNotListed, why).at("from").into(),
        JobError::Source(why) => Problem::field("from", why).into(),
        JobError::Failure(failure) => failure.into(),
    }
}

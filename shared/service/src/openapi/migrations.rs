//! Migrations by the queue.

use bytes::Bytes;
use credlink_core::access::{Caller, Scope};
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::http::reply::Reply;
use credlink_core::job_name::JobName;
use credlink_core::rules::migration::MigrationBody;
use http::StatusCode;
use http::header::LOCATION;
use serde::Serialize;

use credlink_ports::Ports;
use credlink_ports::migration::jobs::Removed;
use credlink_ports::migration::jobs::{Asked, Begun, JobError, Jobs as _, Progress};

use crate::error::Error;
use crate::service::Service;

/// Begin a migration
///
/// A message is queued that has the source listed; the items are copied from the queue. The same job again is another
/// run of it: what is done is not done twice. The operator's configuration lists the sources, and says whose the proofs
/// become.
#[utoipa::path(
    post, path = "/v1/migrations", tag = "migrations", operation_id = "beginMigration",
    request_body = MigrationBody,
    responses(
        (status = 202, description = "Queued", body = Progress, headers(("location" = String, description = "Where its progress is"))),
        (status = 403, description = "The operator has not listed the source, or the scope `operator` is missing"),
        (status = 409, description = "The job moves something else, or is being listed or removed"),
        (status = 501, description = "There is no queue or no table"),
    ),
    security(("token" = ["operator"]))
)]
pub(crate) async fn begin_migration<P: Ports>(
    service: &Service<P>,
    body: Bytes,
    request_id: &str,
) -> Result<Reply, Error> {
    let body = service.read(body, |body| MigrationBody::parse(&body)).await?;
    let asked = Asked {
        batch_size: body.batch_size(),
        name: body.name,
        from: body.from,
        request_id: request_id.to_owned(),
    };
    match service.ports.jobs().begin(&asked).await.map_err(job_error)? {
        Begun::Queued(job) => {
            let location = format!("/v1/migrations/{}", job.name);
            Ok(Reply::json(StatusCode::ACCEPTED, &Progress::of(job)).with(LOCATION, &location))
        }
        Begun::Held => {
            let detail =
                format!("the source of the job `{}` is being listed; try again when it is done", asked.name);
            Err(Problem::new(Kind::Contended, detail).into())
        }
        Begun::Removing => {
            let detail = format!(
                "the job `{0}` is being removed, or left something when it was; `DELETE /v1/migrations/{0}` ends that, and then its name is \
                 free",
                asked.name
            );
            Err(Problem::new(Kind::JobConflict, detail).at("name").into())
        }
        Begun::Differs(job) => {
            let whose = if job.keep_tenants {
                "whose proofs keep their tenants".to_owned()
            } else {
                format!("for the tenant `{}`", job.tenant)
            };
            let detail = format!(
                "the job `{}` is from {} to {}, {whose}; take another name, or remove that job",
                job.name, job.from, job.to
            );
            Err(Problem::new(Kind::JobConflict, detail).at("name").into())
        }
    }
}

/// Read how far a migration is
///
/// It counts the items of 20,000 entries at most. Where there are more, `next` says where the counting goes on. An operator
/// sees every job, an administrator those whose proofs become the tenant's.
#[utoipa::path(
    get, path = "/v1/migrations/{job}", tag = "migrations", operation_id = "showMigration",
    params(
        ("job" = JobName, Path, description = "The job's name"),
        ("after" = Option<String>, Query, description = "`next` of the answer before"),
    ),
    responses(
        (status = 200, description = "The job, and its items by what became of them", body = Progress),
        (status = 404, description = "No such job"),
        (status = 501, description = "There is no queue or no table"),
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
        None => Err(Problem::new(Kind::NotFound, format!("there is no job `{job}`")).into()),
    }
}

/// Remove a migration
///
/// What its ledger says goes, and its name is free again. Proofs stay, in the source and here; they can't be rolled back by
/// this job any more, nor can it clean its source up. A job that is being listed is not removed, and neither is one that is not over, unless
/// `abandon` is `true`: whose source is not listed to the end, or of which items wait to be copied. Messages of a job that is gone
/// do nothing.
#[utoipa::path(
    delete, path = "/v1/migrations/{job}", tag = "migrations", operation_id = "removeMigration",
    params(
        ("job" = JobName, Path, description = "The job's name"),
        ("abandon" = Option<bool>, Query, description = "Remove it although it is not over; `false` by default"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 202, description = "There was not enough time for all of its entries: the same request again goes on", body = Removal),
        (status = 404, description = "No such job"),
        (status = 409, description = "It is being listed, or is not over"),
        (status = 501, description = "There is no table"),
    ),
    security(("token" = ["operator"]))
)]
pub(crate) async fn remove_migration<P: Ports>(
    service: &Service<P>,
    job: &JobName,
    abandon: bool,
) -> Result<Reply, Error> {
    match service.ports.jobs().remove(job, abandon).await.map_err(job_error)? {
        Removed::Done => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        Removed::Partly(removed) => {
            Ok(Reply::json(StatusCode::ACCEPTED, &Removal { job: job.clone(), removed }))
        }
        Removed::Absent => Err(Problem::new(Kind::NotFound, format!("there is no job `{job}`")).into()),
        Removed::Held => {
            let detail = format!("a run has the job `{job}`; try again when it is done");
            Err(Problem::new(Kind::Contended, detail).into())
        }
        Removed::Unfinished(why) => {
            let detail =
                format!("the job `{job}` is not over: {why}; `abandon=true` removes it all the same");
            Err(Problem::new(Kind::JobConflict, detail).at("abandon").into())
        }
    }
}

/// A job of which a part is removed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Removal {
    /// The job's name.
    #[schema(value_type = String)]
    job: JobName,
    /// Entries that this request removed. There are more.
    removed: u64,
}

fn job_error(error: JobError) -> Error {
    match error {
        JobError::NotConfigured(what) => Problem::new(Kind::NotConfigured, what).into(),
        JobError::NotListed(why) => Problem::new(Kind::SourceNotListed, why).at("from").into(),
        JobError::Source(why) => Problem::field("from", why).into(),
        JobError::Failure(failure) => failure.into(),
    }
}

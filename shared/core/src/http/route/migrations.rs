//! Migrations that run from the queue.

use super::Route;
use super::operation::Operation;
use super::parameter::switch;
use super::path::{Endpoint, Given, Path};
use super::segment::decode;
use crate::access::Scope;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::job_name::JobName;

/// An operation on migrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Migrations {
    /// `POST /v1/migrations`.
    Begin,
    /// `GET /v1/migrations/{job}`.
    Show {
        /// The job's name.
        job: JobName,
        /// The cursor of an earlier answer, from which counting goes on.
        after: Option<String>,
    },
    /// `DELETE /v1/migrations/{job}`.
    Remove {
        /// The job's name.
        job: JobName,
        /// `true` if the job is removed even if it has not ended.
        abandon: bool,
    },
}

const BEGIN: Operation = Operation::needing(Scope::Operator, "begin_migration");
// The name does not begin with `read_`, because the answer is not a proof.
const SHOW: Operation = Operation::needing(Scope::Admin, "show_migration");
const REMOVE: Operation = Operation::needing(Scope::Operator, "remove_migration");

pub(super) const OPERATIONS: &[Operation] = &[BEGIN, SHOW, REMOVE];

pub(super) const PATHS: &[Path] = &[
    Path {
        segments: &["migrations"],
        allow: "POST, OPTIONS",
        endpoints: &[Endpoint::post(BEGIN, |_| Ok(Route::Migrations(Migrations::Begin)))],
    },
    Path {
        segments: &["migrations", "*"],
        allow: "GET, HEAD, DELETE, OPTIONS",
        endpoints: &[Endpoint::get(SHOW, show), Endpoint::delete(REMOVE, remove)],
    },
];

impl Migrations {
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::Begin => BEGIN,
            Self::Show { .. } => SHOW,
            Self::Remove { .. } => REMOVE,
        }
    }
}

fn show(Given { ids: [job, ..], query }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    query.only(&["after"])?;
    let after = query.get("after").map(str::to_owned);
    Ok(Route::Migrations(Migrations::Show { job: job_name(job)?, after }))
}

fn remove(Given { ids: [job, ..], query }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    query.only(&["abandon"])?;
    Ok(Route::Migrations(Migrations::Remove { job: job_name(job)?, abandon: switch(&query, "abandon")? }))
}

fn job_name(segment: &str) -> Result<JobName, Problem> {
    decode("job", segment)?.parse().map_err(|error| Problem::field("job", error))
}

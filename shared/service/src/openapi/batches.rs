//! Deleting many proofs at once.

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Reply;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::batch_delete::BatchDeleteBody;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use credlink_ports::Ports;

use crate::delete;
use crate::error::Error;
use crate::service::Service;

/// Concurrent deletions of one batch.
const BATCH_CONCURRENCY: usize = 16;

/// The answer to a batch of deletions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BatchReply {
    /// IDs whose proofs are deleted, or never existed.
    deleted: Vec<String>,
    /// IDs that could not be deleted.
    failed: Vec<BatchFailure>,
}

/// An ID that could not be deleted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BatchFailure {
    /// The ID as it was sent.
    id: String,
    /// The kind of problem: the last part of its `type`.
    problem: &'static str,
    /// A description of the problem.
    detail: String,
}

/// Delete up to 1,000 proofs
#[utoipa::path(
    post, path = "/v1/proofs/batch-delete", tag = "proofs", operation_id = "batchDelete",
    request_body = BatchDeleteBody,
    responses(
        (status = 200, description = "The result for each ID", body = BatchReply),
    ),
    security(("token" = ["delete:manifests"]))
)]
pub(crate) async fn batch_delete<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    body: Bytes,
) -> Result<Reply, Error> {
    delete_each(service, body, |id| delete_one(service, caller, id)).await
}

/// Performs one deletion of a batch.
///
/// # Errors
/// The errors of [`delete::delete_proof`].
pub async fn delete_one<P: Ports>(service: &Service<P>, caller: &Caller, id: ProofId) -> Result<(), Error> {
    delete::delete_proof(service, &id, &caller.tenant, &HeaderMap::new(), None).await.map(drop)
}

/// Calls `delete` for every proof in the body of a batch, and answers with the result of each.
///
/// # Errors
/// An invalid body, or a shutdown of the process. A deletion that fails is not an error here.
pub async fn delete_each<P, F>(
    service: &Service<P>,
    body: Bytes,
    delete: impl Fn(ProofId) -> F,
) -> Result<Reply, Error>
where
    P: Ports,
    F: Future<Output = Result<(), Error>>,
{
    let ids = service.read(body, |body| BatchDeleteBody::parse(&body)).await?;
    let results: Vec<(String, Option<Problem>)> = stream::iter(ids)
        .map(async |id: String| {
            let problem = match id.parse::<ProofId>() {
                Err(error) => Some(Problem::field("id", error)),
                Ok(parsed) => match delete(parsed).await {
                    Ok(()) => None,
                    Err(error) => {
                        if let Error::Failure(failure) = &error {
                            tracing::error!(proof_id = %parsed, reason = %failure, "a deletion of a batch failed");
                        }
                        Some(error.problem())
                    }
                },
            };
            (id, problem)
        })
        .buffered(BATCH_CONCURRENCY)
        .collect()
        .await;
    let mut reply = BatchReply { deleted: Vec::new(), failed: Vec::new() };
    for (id, problem) in results {
        match problem {
            None => reply.deleted.push(id),
            Some(problem) => {
                reply.failed.push(BatchFailure { id, problem: problem.kind.slug(), detail: problem.detail });
            }
        }
    }
    Ok(Reply::json(StatusCode::OK, &reply))
}

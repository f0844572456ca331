//! Many proofs at once.

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

/// Deletions of one batch that are under way at once.
const BATCH_CONCURRENCY: usize = 16;

/// The answer to a batch of deletions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BatchReply {
    /// Ids that have no proof now.
    deleted: Vec<String>,
    /// Ids that could not be deleted.
    failed: Vec<BatchFailure>,
}

/// An id that could not be deleted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BatchFailure {
    /// The id as it was sent.
    id: String,
    /// The kind of problem: the end of its `type`.
    problem: &'static str,
    /// What is wrong, in words.
    detail: String,
}

/// A deletion of a batch.
async fn delete_one<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &ProofId,
    any: &HeaderMap,
) -> Result<(), Error> {
    service.bring(id).await?;
    delete::delete_proof(service, id, &caller.tenant, any, None).await.map(drop)
}

/// Delete up to 1,000 proofs
#[utoipa::path(
    post, path = "/v1/proofs/batch-delete", tag = "proofs", operation_id = "batchDelete",
    request_body = BatchDeleteBody,
    responses(
        (status = 200, description = "What became of each", body = BatchReply),
    ),
    security(("token" = ["delete:manifests"]))
)]
pub(crate) async fn batch_delete<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    body: Bytes,
) -> Result<Reply, Error> {
    let ids = service.read(body, |body| BatchDeleteBody::parse(&body)).await?;
    let any = HeaderMap::new();
    let results: Vec<(String, Option<Problem>)> = stream::iter(ids)
        .map(async |id: String| {
            let problem = match id.parse::<ProofId>() {
                Err(error) => Some(Problem::field("id", error)),
                Ok(parsed) => match delete_one(service, caller, &parsed, &any).await {
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

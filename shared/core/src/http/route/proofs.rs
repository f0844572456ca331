//! Proofs: storing, listing, replacing and deleting them, and links to them.

use super::Route;
use super::operation::Operation;
use super::parameter::page_of;
use super::path::{Endpoint, Given, Path, READ_ONLY};
use super::reads::{self, by_hash};
use super::segment::proof_id;
use crate::access::Scope;
use crate::bounds::{DEFAULT_LINK_SECONDS, MAX_LINK_SECONDS};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::proof_id::ProofId;

/// An operation on proofs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proofs {
    /// `POST /v1/proofs`.
    Store,
    /// `GET /v1/proofs`.
    List {
        /// The cursor of an earlier page.
        after: Option<String>,
        /// The most proofs on the page.
        limit: usize,
    },
    /// `PUT /v1/proofs/{id}`.
    Supersede(ProofId),
    /// `DELETE /v1/proofs/{id}`.
    Delete(ProofId),
    /// `POST /v1/proofs/batch-delete`.
    BatchDelete,
    /// `GET /v1/proofs/{id}/url`.
    SignLink {
        /// The proof's ID.
        id: ProofId,
        /// The lifetime of the link, in seconds.
        expires_in: u64,
    },
}

const STORE: Operation = Operation::needing(Scope::Store, "store_proof");
const LIST: Operation = Operation::needing(Scope::Admin, "list_proofs");
const SUPERSEDE: Operation = Operation::needing(Scope::Store, "supersede_proof");
const DELETE: Operation = Operation::needing(Scope::Delete, "delete_proof");
const BATCH_DELETE: Operation = Operation::needing(Scope::Delete, "batch_delete");
const SIGN_LINK: Operation = Operation::needing(Scope::Store, "sign_link");

pub(super) const OPERATIONS: &[Operation] = &[STORE, LIST, SUPERSEDE, DELETE, BATCH_DELETE, SIGN_LINK];

pub(super) const PATHS: &[Path] = &[
    Path {
        segments: &["proofs"],
        allow: "GET, HEAD, POST, OPTIONS",
        endpoints: &[
            Endpoint::get(LIST, list_or_find).open_with("media_hash"),
            Endpoint::post(STORE, |_| Ok(Route::Proofs(Proofs::Store))),
        ],
    },
    Path {
        segments: &["proofs", "batch-delete"],
        allow: "POST, OPTIONS",
        endpoints: &[Endpoint::post(BATCH_DELETE, |_| Ok(Route::Proofs(Proofs::BatchDelete)))],
    },
    Path {
        segments: &["proofs", "*", "url"],
        allow: READ_ONLY,
        endpoints: &[Endpoint::get(SIGN_LINK, sign_link)],
    },
    Path {
        segments: &["proofs", "*"],
        allow: "GET, HEAD, PUT, DELETE, OPTIONS",
        endpoints: &[
            reads::PROOF,
            Endpoint::put(SUPERSEDE, |Given { ids: [id, ..], .. }| {
                Ok(Route::Proofs(Proofs::Supersede(proof_id(id)?)))
            }),
            Endpoint::delete(DELETE, |Given { ids: [id, ..], .. }| {
                Ok(Route::Proofs(Proofs::Delete(proof_id(id)?)))
            }),
        ],
    },
];

impl Proofs {
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::Store => STORE,
            Self::List { .. } => LIST,
            Self::Supersede(_) => SUPERSEDE,
            Self::Delete(_) => DELETE,
            Self::BatchDelete => BATCH_DELETE,
            Self::SignLink { .. } => SIGN_LINK,
        }
    }
}

fn list_or_find(Given { query, .. }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    if let Some(hash) = query.get("media_hash") {
        // The parameters of a listing are refused: a client that asks for both misunderstands one of them.
        query.only(&["media_hash", "tenant", "expires", "key", "life", "signature", "form"])?;
        return by_hash(hash, &query);
    }
    query.only(&["media_hash", "after", "limit"])?;
    let (after, limit) = page_of(&query)?;
    Ok(Route::Proofs(Proofs::List { after, limit }))
}

fn sign_link(Given { ids: [id, ..], query }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    query.only(&["expires_in"])?;
    let expires_in = query.number("expires_in", 1, MAX_LINK_SECONDS)?;
    Ok(Route::Proofs(Proofs::SignLink {
        id: proof_id(id)?,
        expires_in: expires_in.unwrap_or(DEFAULT_LINK_SECONDS),
    }))
}

//! Legacy IDs: listing them, binding them to proofs and withdrawing them.

use super::Route;
use super::operation::Operation;
use super::parameter::page;
use super::path::{Endpoint, Given, Path, READ_ONLY};
use super::segment::{legacy_id, proof_id};
use crate::access::Scope;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::legacy::LegacyId;
use crate::proof_id::ProofId;

/// An operation on legacy IDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aliases {
    /// `GET /v1/aliases`.
    List {
        /// The cursor of an earlier page.
        after: Option<String>,
        /// The most IDs on the page.
        limit: usize,
    },
    /// `PUT /v1/aliases/{legacy id}`.
    Bind(LegacyId),
    /// `DELETE /v1/aliases/{legacy id}`.
    Withdraw {
        /// The legacy ID.
        id: LegacyId,
        /// The proof that the legacy ID must lead to.
        proof: ProofId,
    },
}

const LIST: Operation = Operation::needing(Scope::Admin, "list_aliases");
const BIND: Operation = Operation::needing(Scope::Admin, "bind_alias");
const WITHDRAW: Operation = Operation::needing(Scope::Admin, "withdraw_alias");

pub(super) const OPERATIONS: &[Operation] = &[LIST, BIND, WITHDRAW];

pub(super) const PATHS: &[Path] = &[
    Path {
        segments: &["aliases"],
        allow: READ_ONLY,
        endpoints: &[Endpoint::get(LIST, |Given { query, .. }| {
            let (after, limit) = page(query)?;
            Ok(Route::Aliases(Aliases::List { after, limit }))
        })],
    },
    Path {
        segments: &["aliases", "*"],
        allow: "PUT, DELETE, OPTIONS",
        endpoints: &[
            Endpoint::put(BIND, |Given { ids: [id, ..], .. }| {
                Ok(Route::Aliases(Aliases::Bind(legacy_id(id)?)))
            }),
            Endpoint::delete(WITHDRAW, withdraw),
        ],
    },
];

impl Aliases {
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::List { .. } => LIST,
            Self::Bind(_) => BIND,
            Self::Withdraw { .. } => WITHDRAW,
        }
    }
}

fn withdraw(Given { ids: [id, ..], query }: Given<'_>) -> Result<Route, Problem> {
    let query = Query::parse(query)?;
    query.only(&["proof"])?;
    let missing = || Problem::field("proof", "it is missing: the proof that the id names");
    Ok(Route::Aliases(Aliases::Withdraw {
        id: legacy_id(id)?,
        proof: proof_id(query.get("proof").ok_or_else(missing)?)?,
    }))
}

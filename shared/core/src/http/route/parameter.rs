//! Query parameters that several operations take.

use crate::bounds::{DEFAULT_PAGE, MAX_PAGE};
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Returns the cursor and the most entries of a listing's page, for a path that takes no other parameters.
pub(super) fn page(query: &str) -> Result<(Option<String>, usize), Problem> {
    let query = Query::parse(query)?;
    query.only(&["after", "limit"])?;
    page_of(&query)
}

/// Returns the cursor and the most entries of a listing's page, from a query whose names are already checked.
pub(super) fn page_of(query: &Query<'_>) -> Result<(Option<String>, usize), Problem> {
    let limit = query.number("limit", 1, MAX_PAGE as u64)?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_PAGE);
    Ok((query.get("after").map(str::to_owned), limit))
}

/// Returns a parameter that is `true` or `false`, and `false` if it is left out.
pub(super) fn switch(query: &Query<'_>, name: &str) -> Result<bool, Problem> {
    match query.get(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Problem::field(name, format!("`true` or `false`, not `{other}`"))),
    }
}

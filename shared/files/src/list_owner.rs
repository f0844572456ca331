//! The owner of a list: the one of its first file. Only that owner, and `media:admin`, may change the list.

use credlink_core::access::Caller;
use credlink_core::file::{ListPlace, OwnerId};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::row::{FileRow, ListRow};
use credlink_core::rules::file_access::{Action, may};

use credlink_ports::{Failure, Ports};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::deletion::guarded;
use crate::rows;

/// Returns the row of the file that comes first in a list: its owner is the owner of the list.
pub(crate) async fn first_file<P: Ports>(
    service: &Service<P>,
    row: Option<&ListRow>,
) -> Result<Option<FileRow>, Failure> {
    match row.and_then(|row| row.files.files().first()) {
        Some(id) => rows::file(service, id).await,
        None => Ok(None),
    }
}

/// Checks that the caller may change a list: it is empty, its first file is the caller's, or the caller has `media:admin`.
///
/// # Errors
/// Fails with 403, without a word about the files, of which the caller may not know. Also fails if the index fails.
pub(crate) async fn check_owner<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    place: &ListPlace,
    row: Option<&ListRow>,
) -> Result<(), Error> {
    let first = first_file(service, row).await?;
    if may_change(caller, first.as_ref()) { Ok(()) } else { Err(list_of_another(place).into()) }
}

/// Returns `true` if the caller may change the list whose first file is `first`.
pub(crate) fn may_change(caller: &Caller, first: Option<&FileRow>) -> bool {
    first.is_none_or(|first| may(caller, &guarded(first), Action::Change, false).is_ok())
}

/// Returns `true` if a file of `owner` may come into a list by an upload: the list is empty, or has that owner's files.
pub(crate) async fn is_list_of<P: Ports>(
    service: &Service<P>,
    row: Option<&ListRow>,
    owner: Option<&OwnerId>,
) -> Result<bool, Failure> {
    Ok(first_file(service, row).await?.is_none_or(|first| first.owner.as_ref() == owner))
}

/// Returns the problem of a list that has files of another owner.
pub(crate) fn list_of_another(place: &ListPlace) -> Problem {
    let detail = format!(
        "the list {place} has files of another owner; only that owner, and `media:admin`, may change it"
    );
    Problem::new(ProblemKind::OtherOwner, detail)
}

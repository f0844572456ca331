//! The row of a legacy ID and its object: reading them, and making them agree.

use credlink_core::http::problem::Problem;
use credlink_core::legacy::LegacyId;
use credlink_core::note::AliasNote;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::row::{AliasRow, Row, RowKey};
use credlink_core::rules::guard::RETRY_AFTER_SECONDS;

use credlink_ports::{Condition, Failure, FailureKind, Index as _, Objects as _, Ports, Put, Replicas as _};

use crate::error::{Error, contended};
use crate::guard::may_follow;
use crate::rows::claim;
use crate::service::{MAX_ATTEMPTS, Service};

impl<P: Ports> Service<P> {
    /// Returns where a legacy ID leads.
    ///
    /// # Errors
    /// The index failed.
    pub async fn alias(&self, id: &LegacyId) -> Result<Option<AliasRow>, Failure> {
        Ok(self.alias_row(id).await?.filter(|row| row.withdrawn.is_none()))
    }

    /// Returns where a legacy ID leads, or led until it was withdrawn.
    ///
    /// # Errors
    /// The index failed.
    pub async fn alias_row(&self, id: &LegacyId) -> Result<Option<AliasRow>, Failure> {
        Ok(self.ports.index().get(&RowKey::Alias(id.clone())).await?.and_then(Row::alias))
    }
}

/// Makes the row of a legacy ID follow its object if the index may be older than the store. This is done before the row
/// changes; the object changes after it. Otherwise the row is authoritative, and nothing is read.
pub(crate) async fn agree<P: Ports>(service: &Service<P>, id: &LegacyId) -> Result<(), Error> {
    if !service.trusts_index().await? {
        follow_alias(service, id, false).await?;
    }
    Ok(())
}

/// Refuses a legacy ID that is unknown to an index that may be older than the store, even where no object contradicts
/// the index: a record that the index lacks may name the ID.
///
/// # Errors
/// An error that says what is in doubt (503), or a failure.
pub(crate) async fn refuse_unknown<P: Ports>(service: &Service<P>, id: &LegacyId) -> Result<(), Error> {
    if service.trusts_index().await? || service.alias_row(id).await?.is_some() {
        return Ok(());
    }
    let Err(error) = service.may_destroy().await else { return Ok(()) };
    let why = error.problem().detail;
    let detail = format!("{why} Until then, it is not known whether the legacy id `{id}` leads to a proof.");
    Err(Problem::stopped(detail, RETRY_AFTER_SECONDS).into())
}

/// Ensures that the object of a legacy ID exists and agrees with its row. The object follows the row, unless the index
/// may be older than the store; then the row follows the object.
pub(crate) async fn secure_alias<P: Ports>(service: &Service<P>, id: &LegacyId) -> Result<(), Error> {
    agree(service, id).await?;
    keep_alias(service, id).await?;
    Ok(())
}

/// Makes the object of a legacy ID agree with its row, and returns that row; does nothing if there is no row. The row
/// must be as new as the object: see [`agree`]. With concurrent writers, it may differ from the row that the caller
/// wrote.
pub(crate) async fn keep_alias<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
) -> Result<Option<AliasRow>, Failure> {
    let key = ObjectKey::Alias(id.clone());
    for _ in 0..MAX_ATTEMPTS {
        // The tag is read before the row, so that the tagged object is never newer than the row.
        let found = service.current(&key).await?;
        let Some(row) = service.alias_row(id).await? else { return Ok(None) };
        let note = AliasNote::of(&row);
        let (condition, written) = match &found {
            None => (Condition::Absent, 0),
            Some(found) => {
                let facts: &Facts = found.verified.facts();
                if AliasNote::parse(&found.verified.content()).is_ok_and(|found| found == note) {
                    service.ports.objects().confirm(&key, facts).await?;
                    return Ok(Some(row));
                }
                (Condition::Matches(found.tag.clone()), facts.generation)
            }
        };
        let (body, attributes) = note.object(written.saturating_add(1), service.now());
        if let Put::Stored(_) = service.ports.objects().put(&key, body.into(), &attributes, condition).await?
        {
            return Ok(Some(row));
        }
    }
    let message = format!("{key}: other requests kept replacing it");
    Err(Failure { provider: service.ports.objects().name(), kind: FailureKind::Unavailable, message })
}

/// Makes the row of a legacy ID and its object agree. Returns `true` if one of them changed. If the index is as new as
/// the store, the row wins, because a request was cut off between the two writes. If the index is older, or lacks the
/// row, the row follows the object.
///
/// # Errors
/// A failure of a provider or the index; a repeated call continues the work.
pub(crate) async fn follow_alias<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    is_index_trusted: bool,
) -> Result<bool, Error> {
    may_follow(service).await?;
    let key = ObjectKey::Alias(id.clone());
    for _ in 0..MAX_ATTEMPTS {
        let before = service.alias_row(id).await?;
        let Some(found) = service.current(&key).await? else { return Ok(false) };
        let note = service.alias_note(id, &found.verified)?;
        if before.as_ref().is_some_and(|row| AliasNote::of(row) == note) {
            return Ok(false);
        }
        if before.is_some() && is_index_trusted {
            keep_alias(service, id).await?;
            return Ok(true);
        }
        let expected = before.map(|row| row.version);
        let row = AliasRow { version: expected.unwrap_or(0) + 1, ..note.row() };
        if claim(service, Row::Alias(row), expected).await? {
            return Ok(true);
        }
    }
    Err(contended())
}

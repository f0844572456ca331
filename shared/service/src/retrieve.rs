//! Retrieving a record, an earlier record or a manifest: decide, one await, decide.

use std::sync::Arc;

use credlink_core::access::Visibility;
use credlink_core::http::problem::Problem;
use credlink_core::http::route::Form;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ManifestRow, Row, State};
use credlink_core::rules::retrieve::Lookup;
use credlink_core::tombstone::Tombstone;
use http::Method;

use credlink_ports::{Cache as _, Event, Events as _, Failure, FailureKind, Ports};

use crate::error::Error;
use crate::handler::{Answer, Source};
use crate::ownership::is_hidden_by;
use crate::reconcile::{Reconciled, reconcile};
use crate::service::{Current, Service};
use crate::visibility::bring_up;

/// Answers a lookup.
///
/// # Errors
/// The errors of [`find`] and [`answer`].
pub async fn retrieve<P: Ports>(service: &Service<P>, lookup: &Lookup<'_>) -> Result<Answer, Error> {
    let found = find(service, lookup).await;
    answer(service, lookup, found).await
}

/// Returns the object of a lookup, or `None` if nothing is stored under its key.
///
/// # Errors
/// A problem that [`Lookup::admit`] decides on, or a failure.
pub async fn find<P: Ports>(
    service: &Service<P>,
    lookup: &Lookup<'_>,
) -> Result<Option<Arc<Verified>>, Error> {
    if let ObjectKey::Revision(id, _) = lookup.key {
        let current = ObjectKey::Record(*id);
        let Some(found) = load(service, &current, lookup.form).await? else { return Ok(None) };
        lookup.admit(found.facts())?;
    }
    Ok(load(service, lookup.key, lookup.form).await?)
}

/// Answers a lookup with the object that was found.
///
/// # Errors
/// A problem that [`Lookup::respond`] decides on, or a failure. Content that does not match its recorded digest is a
/// failure, unless it is private to another tenant: then it counts as absent (guarantee 13).
pub async fn answer<P: Ports>(
    service: &Service<P>,
    lookup: &Lookup<'_>,
    found: Result<Option<Arc<Verified>>, Error>,
) -> Result<Answer, Error> {
    let found = match found {
        Ok(Some(found)) => found,
        Ok(None) => return Err(missed(service, lookup).into()),
        // Boxed, because it is rare.
        Err(Error::Failure(failure))
            if failure.kind == FailureKind::Damaged && Box::pin(hides(service, lookup, &failure)).await =>
        {
            return Err(missed(service, lookup).into());
        }
        Err(error) => return Err(error),
    };
    let reply =
        lookup.respond(found.facts()).inspect_err(|_| service.ports.events().record(Event::Missed))?;
    // A HEAD request checks for presence and a client that mirrors the store is not a reader, so neither counts as a
    // read.
    if let (ObjectKey::Record(id), &Method::GET, Form::Content) = (lookup.key, lookup.method, lookup.form) {
        service.reads.note(*id, lookup.now);
    }
    Ok(Answer { reply, source: Source::Object(found) })
}

fn missed<P: Ports>(service: &Service<P>, lookup: &Lookup<'_>) -> Problem {
    service.ports.events().record(Event::Missed);
    lookup.absent()
}

/// Returns `true` if the damaged object is hidden from the caller, either itself or as an earlier record of a hidden
/// proof.
async fn hides<P: Ports>(service: &Service<P>, lookup: &Lookup<'_>, damage: &Failure) -> bool {
    let current = match lookup.key {
        ObjectKey::Revision(id, _) => Some(ObjectKey::Record(*id)),
        _ => None,
    };
    for key in current.iter().chain([lookup.key]) {
        if is_hidden_by(service, key, damage, |tenant, visibility| lookup.hides(tenant, visibility)).await {
            return true;
        }
    }
    false
}

/// Returns the checked object under `key`, from the cache or the provider. A client that mirrors the store bypasses the
/// cache: a copy of an object that another process has just deleted would outlive the cache (guarantee 8).
async fn load<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    form: Form,
) -> Result<Option<Arc<Verified>>, Failure> {
    // Boxed and created on demand, because it is large and would be a part of every read that the cache answers.
    let from_provider = async { Box::pin(load_from_provider(service, key)).await };
    match form {
        Form::Content => service.ports.cache().get_or_load(key, from_provider).await,
        Form::Stored => Ok(from_provider.await?.map(Arc::new)),
    }
}

async fn load_from_provider<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
) -> Result<Option<Verified>, Failure> {
    let found = service.current(key).await?;
    match (key, found) {
        (ObjectKey::Record(id), Some(found))
            if service.settings.notice_on_read && service.leftovers.may_have(id, found.written()) =>
        {
            // Boxed, because it is rare and would be a part of every load.
            Box::pin(settled(service, id, found)).await
        }
        (ObjectKey::Manifest(manifest), Some(found)) if service.settings.notice_on_read => {
            Box::pin(brought_up(service, manifest, found)).await
        }
        (_, found) => Ok(found.map(|found| found.verified)),
    }
}

/// Returns the record that was found, once its row has followed it, where that is necessary.
async fn settled<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    found: Current,
) -> Result<Option<Verified>, Failure> {
    // An index in doubt has no influence on reads.
    let has_a_say = service.standing_for_readers().await.trusts_index();
    if !has_a_say || !lags_behind(service, id, found.verified.facts()).await {
        return Ok(Some(found.verified));
    }
    match reconcile(service, id).await {
        // The proof was deleted, and its record was put back from elsewhere (guarantee 8).
        Ok(Reconciled::Risen) => return tombstone(service, id).await,
        // The manifest was deleted before any caller was told of the proof; cleanup removes the record.
        Ok(Reconciled::Orphan) => return Ok(None),
        Ok(_) => {}
        Err(error) => {
            tracing::debug!(proof = %id, error = error.to_string(), "a row lags behind its record");
        }
    }
    Ok(service.current(&ObjectKey::Record(*id)).await?.map(|current| current.verified))
}

/// Returns the tombstone that the row of a deleted proof stands for.
async fn tombstone<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<Option<Verified>, Failure> {
    let row = service.proof_row(id).await?.map(Row::Proof);
    let Some((tombstone, tenant)) = row.as_ref().and_then(Tombstone::of) else { return Ok(None) };
    let key = ObjectKey::Record(*id);
    let (body, attributes) = tombstone.object(&key, &tenant);
    service.as_stored(&key, tombstone.deleted, (body.into(), attributes)).map(Some)
}

/// Returns the manifest that was found, with the visibility that its row records, since a change of visibility may have
/// been cut off after the row was written. If the row says that the manifest was deleted and the object belongs to an
/// earlier life, the object was put back from elsewhere; the tombstone is returned in its place (guarantee 8).
///
/// # Errors
/// A failure of the provider.
async fn brought_up<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    found: Current,
) -> Result<Option<Verified>, Failure> {
    let key = ObjectKey::Manifest(manifest.clone());
    let facts = found.verified.facts();
    let row = match service.manifest_row(manifest).await {
        Ok(row) => row,
        Err(failure) => {
            tracing::debug!(%manifest, %failure, "a read could not check whether a manifest lags behind its row");
            None
        }
    };
    let is_behind = |row: &ManifestRow| {
        row.state == State::Live
            && !facts.tombstone
            && facts.generation < row.generation
            && facts.sha256 == row.sha256
    };
    let has_risen = |row: &ManifestRow| {
        matches!(row.state, State::Deleted(_))
            && !row.void
            && !facts.tombstone
            && facts.generation <= row.generation
    };
    let is_noticed = |row: &ManifestRow| is_behind(row) || has_risen(row);
    let Some(row) = row.filter(is_noticed) else { return Ok(Some(found.verified)) };
    // An index in doubt has no influence on reads.
    if !service.standing_for_readers().await.trusts_index() {
        return Ok(Some(found.verified));
    }
    if has_risen(&row) {
        let Some((tombstone, tenant)) = Tombstone::of(&Row::Manifest(row)) else { return Ok(None) };
        let (body, attributes) = tombstone.object(&key, &tenant);
        return service.as_stored(&key, tombstone.deleted, (body.into(), attributes)).map(Some);
    }
    // The process that changes the visibility writes the object. A reader does so for one that was cut off, and only
    // one reader at a time.
    if let Some(_turn) = service.leftovers.turn() {
        match bring_up(service, &row).await {
            Ok(_) => return Ok(service.current(&key).await?.map(|current| current.verified)),
            Err(error) => {
                tracing::debug!(%manifest, error = error.to_string(), "a manifest lags behind its row");
            }
        }
    }
    // The manifest is withdrawn, even if that is not written yet: its owner can read it, and to others it is absent.
    let is_withdrawn = row.visibility == Visibility::Private;
    Ok(Some(if is_withdrawn { found.verified.hidden() } else { found.verified }))
}

/// Returns `true` if the row of a proof lags behind the object under its key because a request was cut off. Updating
/// the row makes reads and listings agree; no read depends on it.
async fn lags_behind<P: Ports>(service: &Service<P>, id: &ProofId, facts: &Facts) -> bool {
    match service.proof_row(id).await {
        Ok(None) => !facts.tombstone,
        Ok(Some(row)) => match row.state {
            State::Live => facts.sha256 != row.record_sha256,
            State::Deleting(_) => true,
            State::Deleted(_) => !facts.tombstone,
        },
        Err(failure) => {
            tracing::debug!(proof = %id, %failure, "a read could not check whether the row lags behind");
            false
        }
    }
}

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
use crate::handler::Answer;
use crate::ownership::is_hidden_by;
use crate::reconcile::{Reconciled, reconcile};
use crate::service::{Current, Service};
use crate::visibility::bring_up;

/// Answers a lookup.
///
/// # Errors
/// As [`answer`] of what [`find`] finds.
pub async fn retrieve<P: Ports>(service: &Service<P>, lookup: &Lookup<'_>) -> Result<Answer, Error> {
    let found = find(service, lookup).await;
    answer(service, lookup, found).await
}

/// The object that a lookup is of; `None` where nothing stands under its key.
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

/// Answers a lookup with what was found.
///
/// # Errors
/// A problem that [`Lookup::respond`] decides on, or a failure; content that does not have its recorded digest is
/// one, unless it is private to who asks: then it is as absent (guarantee 13).
pub async fn answer<P: Ports>(
    service: &Service<P>,
    lookup: &Lookup<'_>,
    found: Result<Option<Arc<Verified>>, Error>,
) -> Result<Answer, Error> {
    let found = match found {
        Ok(Some(found)) => found,
        Ok(None) => return Err(missed(service, lookup).into()),
        // In a box, as it is rare.
        Err(Error::Failure(failure))
            if failure.kind == FailureKind::Damaged && Box::pin(hides(service, lookup, &failure)).await =>
        {
            return Err(missed(service, lookup).into());
        }
        Err(error) => return Err(error),
    };
    let reply =
        lookup.respond(found.facts()).inspect_err(|_| service.ports.events().record(Event::Missed))?;
    // HEAD asks whether it is there, and reads nothing; a copy is no reader.
    if let (ObjectKey::Record(id), &Method::GET, Form::Content) = (lookup.key, lookup.method, lookup.form) {
        service.reads.note(*id, lookup.now);
    }
    Ok(Answer { reply, object: Some(found) })
}

fn missed<P: Ports>(service: &Service<P>, lookup: &Lookup<'_>) -> Problem {
    service.ports.events().record(Event::Missed);
    lookup.absent()
}

/// Returns `true` if the object, which is damaged, is hidden from who asks: by itself, or as an earlier record of a proof that is.
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

/// The object under `key`, from the cache or the provider, checked. Who keeps a copy gets it past the cache: a copy of what
/// another process has deleted a moment ago would outlive the cache (guarantee 8).
async fn load<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    form: Form,
) -> Result<Option<Arc<Verified>>, Failure> {
    // In a box, and made when it is needed: it is large, and would be a part of every read that the cache answers.
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
            // In a box: it is rare, and would be a part of every load.
            Box::pin(settled(service, id, found)).await
        }
        (ObjectKey::Manifest(manifest), Some(found)) if service.settings.notice_on_read => {
            Box::pin(brought_up(service, manifest, found)).await
        }
        (_, found) => Ok(found.map(|found| found.verified)),
    }
}

/// The record of a proof that was found, once its row has followed it, if it has to.
async fn settled<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    found: Current,
) -> Result<Option<Verified>, Failure> {
    // An index in doubt has no say in what is read.
    let has_a_say = service.standing_for_readers().await.trusts_index();
    if !has_a_say || !lags_behind(service, id, found.verified.facts()).await {
        return Ok(Some(found.verified));
    }
    match reconcile(service, id).await {
        // It was deleted, and put back from elsewhere (guarantee 8).
        Ok(Reconciled::Risen) => return tombstone(service, id).await,
        // Its manifest was deleted before anybody was told of it: cleanup removes it.
        Ok(Reconciled::Orphan) => return Ok(None),
        Ok(_) => {}
        Err(error) => {
            tracing::debug!(proof = %id, error = error.to_string(), "a row lags behind its record");
        }
    }
    Ok(service.current(&ObjectKey::Record(*id)).await?.map(|current| current.verified))
}

/// The tombstone that the row of a deleted proof stands for.
async fn tombstone<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<Option<Verified>, Failure> {
    let row = service.proof_row(id).await?.map(Row::Proof);
    let Some((tombstone, tenant)) = row.as_ref().and_then(Tombstone::of) else { return Ok(None) };
    let key = ObjectKey::Record(*id);
    let (body, attributes) = tombstone.object(&key, &tenant);
    service.as_stored(&key, tombstone.deleted, (body.into(), attributes)).map(Some)
}

/// The manifest that was found, once it is for the readers that its row says: a change of its visibility may have been cut off
/// behind the row. Where the row says that it was deleted, and it stands there of an earlier life, it was put back from elsewhere,
/// and what is read is the marker of its deletion (guarantee 8).
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
    // An index in doubt has no say in what is read.
    if !service.standing_for_readers().await.trusts_index() {
        return Ok(Some(found.verified));
    }
    if has_risen(&row) {
        let Some((marker, tenant)) = Tombstone::of(&Row::Manifest(row)) else { return Ok(None) };
        let (body, attributes) = marker.object(&key, &tenant);
        return service.as_stored(&key, marker.deleted, (body.into(), attributes)).map(Some);
    }
    // Whoever changes it writes it; a reader does so for one that was cut off, and one reader at a time.
    if let Some(_turn) = service.leftovers.turn() {
        match bring_up(service, &row).await {
            Ok(_) => return Ok(service.current(&key).await?.map(|current| current.verified)),
            Err(error) => {
                tracing::debug!(%manifest, error = error.to_string(), "a manifest lags behind its row");
            }
        }
    }
    // It is withdrawn, whether or not that is written yet: its owner reads it, and to others it is absent.
    let is_withdrawn = row.visibility == Visibility::Private;
    Ok(Some(if is_withdrawn { found.verified.hidden() } else { found.verified }))
}

/// Returns `true` if the row of a proof has to follow what stands under its key, which a request that was cut off
/// left behind. With that, a reader and a listing agree. No read depends on it.
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

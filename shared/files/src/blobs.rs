//! Blobs, which are noted in the index before they are written, and removed a day after the last file released them.
//!
//! Other processes write and remove the same blobs. The row decides between them ([`BlobRow`]): a file is committed only if
//! nobody has begun to remove its blob since the blob was noted, and only the process that has committed a removal removes
//! objects.

use std::collections::BTreeSet;

use credlink_core::file::BlobId;
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::row::{BlobRow, Row, State};
use credlink_core::time::Timestamp;

use credlink_ports::{Cache as _, Failure, FailureKind, Objects as _, Ports, Replicas as _};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::files::Files;
use crate::finaliser::Others;
use crate::{objects, rows};

/// The number of objects on one page of a listing. A blob has its original and up to 48 renditions, and more if parts of it
/// were cut around other points.
const PAGE: usize = 100;

impl<Q> Files<Q> {
    /// Removes a blob that is due. With [`Others::None`], a removal that was cut off goes on at once. Returns `true` if the
    /// blob is removed now.
    ///
    /// # Errors
    /// Fails if the guard forbids removals, if the removal takes too long, if other processes keep changing the row, or if a
    /// provider or the index fails. Another process goes on with the removal when the row is due.
    pub(crate) async fn collect_blob<P: Ports>(
        &self,
        service: &Service<P>,
        id: &BlobId,
        others: Others,
    ) -> Result<bool, Error> {
        service.may_destroy().await?;
        for _ in 0..MAX_ATTEMPTS {
            let Some(row) = rows::blob(service, id).await? else { return Ok(false) };
            let now = service.now();
            let is_cut_off = others == Others::None && matches!(row.state, State::Deleting(_));
            let is_due = is_cut_off || row.due().is_some_and(|due| due <= now);
            if !is_due || row.holders > 0 {
                return Ok(false);
            }
            let removing = row.removing(now);
            let mut changes = Changes::default();
            changes.put(Row::Blob(removing.clone()));
            if changes.commit(service).await? {
                return Ok(remove(service, &removing, now).await?);
            }
        }
        Err(contended())
    }
}

/// Commits the row of a blob, held by no file, before anything of the blob is written. If the writer is cut off, the blob is
/// removed when that row is due. `blob` is the first row of a blob that has none yet. Returns the row of the blob after the
/// commit.
///
/// # Errors
/// Fails if the blob is being removed, if other processes keep changing its row, or if the index fails.
pub(crate) async fn note<P: Ports>(service: &Service<P>, blob: &BlobRow) -> Result<BlobRow, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let row = rows::blob(service, &blob.id()).await?;
        let unheld = Some(service.now());
        let next = match row {
            Some(row @ BlobRow { state: State::Live, .. }) if row.holders > 0 => return Ok(row),
            // The day after which the blob is removed begins anew.
            Some(row @ BlobRow { state: State::Live, .. }) => BlobRow { unheld, ..row.in_state(State::Live) },
            Some(BlobRow { state: State::Deleting(since), .. }) => {
                return Err(being_removed(service, &blob.id(), since).into());
            }
            Some(BlobRow { version, removals, .. }) => {
                BlobRow { version: version + 1, removals, unheld, ..blob.clone() }
            }
            None => BlobRow { unheld, ..blob.in_state(State::Live) },
        };
        let mut changes = Changes::default();
        changes.put(Row::Blob(next.clone()));
        if changes.commit(service).await? {
            return Ok(next);
        }
    }
    Err(contended())
}

/// Removes the objects of a blob, whose row was committed as `removing` at `since`, and commits that they are gone. Returns
/// `false` if another process has begun to remove them.
///
/// Removed are the objects that the row names, whatever a listing says, and those of a writer that was cut off before it
/// noted them. Every provider has to answer, because an object that only one of them has would be left for ever.
///
/// # Errors
/// Fails if the removal takes too long, or if a provider or the index fails.
async fn remove<P: Ports>(
    service: &Service<P>,
    removing: &BlobRow,
    since: Timestamp,
) -> Result<bool, Failure> {
    let id = removing.id();
    let renditions = removing.renditions.iter().map(|name| MediaKey::Rendition(id, name.clone()));
    let named = [MediaKey::Original(id)].into_iter().chain(renditions).map(ObjectKey::Media);
    let mut keys: BTreeSet<ObjectKey> = named.collect();
    let prefix = MediaKey::blob(&id);
    let mut after: Option<String> = None;
    loop {
        let page = service.ports().objects().list_all(&prefix, after.as_deref(), PAGE).await?;
        let listed = page.items.iter().filter_map(|listed| listed.key.parse().ok());
        keys.extend(listed.filter(|key| matches!(key, ObjectKey::Media(_))));
        for key in std::mem::take(&mut keys) {
            // After that time another process may have taken the removal over, and the objects may be those of a new file.
            if !BlobRow::may_go_on(since, service.now()) {
                return Err(being_removed(service, &id, since));
            }
            let deleted = service.ports().objects().delete(&key).await;
            service.ports().cache().invalidate(&key).await;
            deleted?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut changes = Changes::default();
    changes.put(Row::Blob(removing.removed(since)));
    changes.commit(service).await
}

/// Returns the failure to use a blob that is being removed.
fn being_removed<P: Ports>(service: &Service<P>, id: &BlobId, since: Timestamp) -> Failure {
    let message = format!(
        "the blob {id} is being removed since {since}; that is taken over at {}",
        BlobRow::taken_over(since)
    );
    Failure { provider: objects::provider(service), kind: FailureKind::Unavailable, message }
}

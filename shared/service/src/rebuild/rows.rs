//! Rows without an object: the index is newer than the objects, or the objects were lost.

use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::row::{Row, RowKey, State};
use futures_util::StreamExt as _;
use futures_util::stream::iter;

use credlink_ports::{Failure, FailureKind, Index as _, Listing, Objects as _, Ports};

use super::follow::Followed;
use crate::service::Service;

/// Returns a page of rows, each with its outcome, and where the next page begins.
pub(super) async fn page<P: Ports>(
    service: &Service<P>,
    after: Option<&str>,
    limit: usize,
    concurrency: usize,
) -> Result<(Option<String>, Vec<(String, Followed)>), Failure> {
    let page = service.ports.index().list(&Listing::All, after, limit).await?.unwrap_or_default();
    let one = async |row: Row| {
        // The key has the same form as in the walk over objects.
        let key = match &row {
            Row::Proof(row) => ObjectKey::Record(row.id).to_string(),
            Row::Manifest(row) => ObjectKey::Manifest(row.manifest_key()).to_string(),
            Row::File(row) => ObjectKey::Media(MediaKey::File(row.id)).to_string(),
            Row::Alias(_)
            | Row::LegacyItem(_)
            | Row::Replica(_)
            | Row::Store(_)
            | Row::Blob(_)
            | Row::List(_)
            | Row::Upload(_)
            | Row::Quota(_) => row.key().to_string(),
        };
        (key, look(service, row).await)
    };
    let looked: Vec<_> = iter(page.items).map(one).buffer_unordered(concurrency).collect().await;
    let mut items = Vec::with_capacity(looked.len());
    for (key, looked) in looked {
        let followed = match looked {
            // The walk over objects has reported it.
            Err(failure) if failure.kind == FailureKind::Damaged => Followed::Right,
            looked => looked?,
        };
        items.push((key, followed));
    }
    Ok((page.next, items))
}

async fn look<P: Ports>(service: &Service<P>, row: Row) -> Result<Followed, Failure> {
    let (key, state) = match &row {
        Row::Proof(row) => (ObjectKey::Record(row.id), row.state),
        Row::Manifest(row) => (ObjectKey::Manifest(row.manifest_key()), row.state),
        Row::File(row) => (ObjectKey::Media(MediaKey::File(row.id)), row.state),
        Row::Alias(row) => {
            return Ok(match service.ports.index().get(&RowKey::Proof(row.proof)).await? {
                Some(_) => Followed::Right,
                None => Followed::Lost(format!("it leads to the proof {}, which is not stored", row.proof)),
            });
        }
        Row::LegacyItem(_)
        | Row::Replica(_)
        | Row::Store(_)
        | Row::Blob(_)
        | Row::List(_)
        | Row::Upload(_)
        | Row::Quota(_) => return Ok(Followed::Right),
    };
    if service.ports.objects().head(&key).await?.is_some() {
        return Ok(Followed::Right);
    }
    // The row may have changed since it was listed.
    let again = service.ports.index().get(&row.key()).await?;
    if again.map(|row| row.version()) != Some(row.version()) {
        return Ok(Followed::Right);
    }
    Ok(match (state, &key) {
        (State::Deleting(_), _) => Followed::Right,
        (State::Live, ObjectKey::Record(_)) => {
            Followed::Lost("the index has a live proof whose record is not stored".to_owned())
        }
        (State::Live, ObjectKey::Media(_)) => {
            Followed::Lost("the index has a live file whose record is not stored".to_owned())
        }
        (State::Live, _) => Followed::Lost("the index has a live manifest that is not stored".to_owned()),
        (State::Deleted(_), _) => {
            Followed::Lost("the index says that it was deleted, but its tombstone is not stored".to_owned())
        }
    })
}

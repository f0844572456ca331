//! The action that deletes: rm.

use credlink_s3::{Deletion, Entry};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::json;

use super::providers::{Providers, failed};
use crate::args::storage::StorageLocation;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Keys that are deleted in one call.
const BATCH: usize = 1_000;

/// Deletes objects, and names those that could not be deleted or do not exist.
pub(super) async fn remove(
    providers: &Providers,
    places: &[StorageLocation],
    recursive: bool,
    yes: bool,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    if recursive && !yes {
        let named: Vec<_> = places.iter().map(|place| format!("{place}*")).collect();
        let what = format!("this deletes everything at {}; add --yes if that is meant", named.join(", "));
        return Err(Trouble::new(TroubleKind::Usage, what));
    }
    let mut total = Deletion::default();
    let mut missing = Vec::new();
    for place in places {
        let provider = providers.named(&place.provider).await?;
        let mut add = |deletion: Deletion| {
            total.deleted += deletion.deleted;
            total.failed.extend(deletion.failed);
        };
        if recursive {
            let mut batches = provider.walk(&place.key, true).try_chunks(BATCH);
            while let Some(batch) = batches.next().await {
                let batch = batch.map_err(|error| failed(error.1))?;
                let keys: Vec<_> = batch.iter().map(Entry::key).map(str::to_owned).collect();
                add(provider.remove_all(&keys).await);
            }
        } else {
            // Every provider accepts the deletion of an object that does not exist. An object that cannot be described
            // may be the very one that has to be deleted.
            if let Ok(None) = provider.describe(&place.key).await {
                printer.remark(&format!("there is nothing at {place}"));
                missing.push(place.to_string());
            } else {
                add(provider.remove_all(std::slice::from_ref(&place.key)).await);
            }
        }
    }
    for (key, reason) in &total.failed {
        printer.remark(&format!("{key} was not deleted: {reason}"));
    }
    let named: Vec<_> =
        total.failed.iter().map(|(key, reason)| json!({ "key": key, "reason": reason })).collect();
    let words = || match total.failed.len() {
        0 => format!("{} deleted", total.deleted),
        failed => format!("{} deleted, {failed} not", total.deleted),
    };
    printer.say(words, &json!({ "deleted": total.deleted, "failed": named, "missing": missing }))?;
    Ok(match (total.failed.is_empty(), missing.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) => Exit::Absent,
        (true, true) => Exit::Done,
    })
}

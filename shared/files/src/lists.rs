//! The lists of files that entities have. Each change is one conditional commit of the list and of the files that come and go.

use credlink_core::access::Caller;
use credlink_core::collection::Collection;
use credlink_core::file::{CollectionName, FileId, FileList, ListPlace};
use credlink_core::http::conditional::with_tag;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::row::{FileRow, ListRow, Row, State};
use credlink_core::rules::entity_list::{Changed, ListChange, change, check_attachable, check_condition};
use credlink_core::rules::file_access::{Action, may};
use credlink_core::tenant::Tenant;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use credlink_ports::limits::MAX_WRITES;
use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::consistency::update_record;
use crate::deletion::{absent, guarded};
use crate::files::Files;
use crate::list_owner::{check_owner, first_file, list_of_another, may_change};
use crate::media::no_file;
use crate::objects::READS_AT_ONCE;
use crate::rows;

impl<Q: Quarantine> Files<Q> {
    /// Answers `GET /v1/entities/{type}/{id}/{collection}`: the files in order, of those that the caller may read.
    ///
    /// # Errors
    /// Fails with 404 if there is no such collection. Also fails if a provider or the index fails.
    pub(crate) async fn show_list<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        place: &ListPlace,
    ) -> Result<Reply, Error> {
        self.rules(place)?;
        let row = rows::list(service, &caller.tenant, place).await?;
        self.list_reply(service, caller, place, row.as_ref()).await
    }

    async fn list_reply<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        place: &ListPlace,
        row: Option<&ListRow>,
    ) -> Result<Reply, Error> {
        let ids = row.map(|row| row.files.files().to_vec()).unwrap_or_default();
        let shown: Vec<Result<Option<Value>, Error>> = stream::iter(ids)
            .map(async |id: FileId| match self.readable(service, caller, &id, Action::Read).await {
                Ok(found) => Ok(Some(self.file_document(caller, &found.record))),
                // Private to others, expired, or deleted a moment ago.
                Err(Error::Problem(_)) => Ok(None),
                Err(error) => Err(error),
            })
            .buffered(READS_AT_ONCE)
            .collect()
            .await;
        let shown: Vec<Value> = shown.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let digest = if may_change(caller, first_file(service, row).await?.as_ref()) {
            ListRow::digest(&caller.tenant, place, row)
        } else {
            // A tag that also changed with files that the reader may not see would reveal them.
            let ids = shown.iter().filter_map(|document| document["id"].as_str()?.parse().ok()).collect();
            let seen = ListRow {
                files: FileList::new(ids).unwrap_or_default(),
                ..ListRow::empty(&caller.tenant, place)
            };
            ListRow::digest(&caller.tenant, place, Some(&seen))
        };
        let document = json!({
            "entity": place.entity,
            "collection": place.collection,
            "files": shown,
        });
        Ok(with_tag(Reply::json(StatusCode::OK, &document), &digest))
    }

    /// Returns the rules of the collection that a list belongs to.
    ///
    /// # Errors
    /// Fails with 404 if there is no such collection.
    pub(crate) fn rules(&self, place: &ListPlace) -> Result<&Collection, Problem> {
        self.collection(&place.collection).ok_or_else(|| self.no_collection(&place.collection))
    }

    /// Returns the problem of a name that no collection has.
    pub(crate) fn no_collection(&self, name: &CollectionName) -> Problem {
        Problem::new(ProblemKind::NotFound, self.settings.collections.none_named(name)).at("collection")
    }

    /// Makes a change to a list, and answers with the list.
    ///
    /// # Errors
    /// Fails as [`check_condition`] does, with 404 or 403 for a file that the caller may not change, and with 409 if the list
    /// is full or does not allow this change. Also fails if a provider or the index fails.
    pub(crate) async fn change_list<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        place: &ListPlace,
        headers: &HeaderMap,
        asked: &ListChange,
    ) -> Result<Reply, Error> {
        let rules = self.rules(place)?;
        for _ in 0..MAX_ATTEMPTS {
            let row = rows::list(service, &caller.tenant, place).await?;
            check_owner(service, caller, place, row.as_ref()).await?;
            check_condition(headers, asked, &caller.tenant, place, row.as_ref())?;
            let before = row.as_ref().map(|row| row.files.clone()).unwrap_or_default();
            let changed = change(&before, asked, place, rules)?;
            if changed.is_nothing(&before) {
                self.check_all(service, caller, place, &before).await?;
                if let ListChange::Attach(id, _) | ListChange::Only(id) = asked {
                    // The change may have been made by a request that was cut off before it reached the record.
                    update_record(service, id).await?;
                }
                return self.list_reply(service, caller, place, row.as_ref()).await;
            }
            check_size(&changed)?;
            let next = next(row, &caller.tenant, place, changed.list);
            let mut changes = Changes::default();
            changes.put(Row::List(next.clone()));
            for id in &changed.attached {
                let file = changeable(service, caller, id).await?;
                check_attachable(&file, place)?;
                changes.put(Row::File(file.attached(place.entity.clone())));
            }
            for id in &changed.detached {
                // A file that was deleted meanwhile has left the list by that.
                let file = changeable(service, caller, id).await.map_err(|error| of_another(error, place))?;
                if file.state == State::Live {
                    changes.put(Row::File(file.detached(service.now())));
                }
            }
            if changed.attached.is_empty() && changed.detached.is_empty() {
                // A new order is a change to each of the files.
                self.check_all(service, caller, place, &next.files).await?;
            }
            if changes.commit(service).await? {
                for id in changed.attached.iter().chain(&changed.detached) {
                    // The list is as it was asked for. The record is brought up to date with the next change.
                    if let Err(error) = update_record(service, id).await {
                        tracing::warn!(file = %id, reason = %error, "a record does not name its entity yet");
                    }
                }
                return self.list_reply(service, caller, place, Some(&next)).await;
            }
        }
        Err(contended())
    }

    /// Checks that the caller may change every file of a list.
    async fn check_all<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        place: &ListPlace,
        files: &FileList,
    ) -> Result<(), Error> {
        for id in files.files() {
            changeable(service, caller, id).await.map_err(|error| of_another(error, place))?;
        }
        Ok(())
    }
}

/// Refuses a change that does not fit into one commit: the list has one write, and each file that comes or goes another.
fn check_size(changed: &Changed) -> Result<(), Problem> {
    let (attached, detached) = (changed.attached.len(), changed.detached.len());
    if attached + detached < MAX_WRITES {
        return Ok(());
    }
    let detail = format!(
        "a change attaches and detaches fewer than {MAX_WRITES} files together; this has {attached} and {detached}; make two of it"
    );
    Err(Problem::field("files", detail))
}

/// Returns the next row of a list.
fn next(row: Option<ListRow>, tenant: &Tenant, place: &ListPlace, files: FileList) -> ListRow {
    row.unwrap_or_else(|| ListRow::empty(tenant, place)).with(files)
}

/// Returns the error for a file that is in a list at `place`, and that the caller may not change. It does not name the file,
/// which may be private.
fn of_another(error: Error, place: &ListPlace) -> Error {
    match error {
        Error::Problem(problem)
            if matches!(problem.kind, ProblemKind::NotFound | ProblemKind::OtherOwner) =>
        {
            list_of_another(place).into()
        }
        other => other,
    }
}

/// Returns the row of a file that the caller may change.
async fn changeable<P: Ports>(service: &Service<P>, caller: &Caller, id: &FileId) -> Result<FileRow, Error> {
    let row = rows::file(service, id).await?.ok_or_else(|| no_file(&absent(id)))?;
    may(caller, &guarded(&row), Action::Change, false).map_err(|refusal| refusal.problem(&absent(id)))?;
    Ok(row)
}

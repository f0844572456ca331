//! A file: showing and changing it, and making its renditions anew.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use credlink_core::access::{Caller, Visibility};
use credlink_core::collection::{Collection, ParentLocation};
use credlink_core::file::{
    FileClass, FileId, FocalPoint, MediaName, MediaPath, ProfileName, Rejection, RenditionName,
};
use credlink_core::file_record::{FileRecord, RenditionRecord};
use credlink_core::hash::Digest;
use credlink_core::http::conditional::{check_removal, with_tag};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::row::{BlobRow, Row, State};
use credlink_core::rules::expiry::{expired, has_expired};
use credlink_core::rules::file_access::{Action, may};
use credlink_core::rules::file_change::{change, names_access};
use credlink_core::rules::renditions::RenditionPlan;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use credlink_ports::{Condition, Failure, NotRendered, Ports, Quarantine, RenderOrder};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::consistency::bring_together;
use crate::deletion::{absent, guarded};
use crate::files::Files;
use crate::finaliser::Unfinished;
use crate::finaliser::publication::put_rendition;
use crate::media::no_file;
use crate::objects::{cached, current_record, damaged, parse, put_record};
use crate::{blobs, quotas, rows};

/// A file that was found.
pub(crate) struct Found {
    /// The record.
    pub(crate) record: FileRecord,
    /// SHA-256 of the record's bytes, from which its `ETag` is made.
    pub(crate) sha256: Digest,
}

/// Returns a digest of renditions for the `v` in their addresses. No server reads it. Browsers keep renditions for a long
/// time, and fetch them again if their address differs, as it does after another focal point or a new version of a profile.
fn version<'a>(made: impl Iterator<Item = &'a RenditionRecord>) -> String {
    let all: String = made.map(|rendition| rendition.sha256.to_string()).collect();
    Digest::of(all.as_bytes()).to_string()[..8].to_owned()
}

impl<Q: Quarantine> Files<Q> {
    /// Returns the record of a file as the cache has it. It is not decided yet what the caller may do with the file.
    ///
    /// # Errors
    /// Fails with 410 if the file was deleted and the caller might have read it, and with 404 if there is no file otherwise.
    /// Also fails if a provider or the index fails.
    pub(crate) async fn found<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &FileId,
        has_link: bool,
    ) -> Result<Found, Error> {
        let key = ObjectKey::Media(MediaKey::File(*id));
        let object = cached(service, &key).await?.ok_or_else(|| no_file(&absent(id)))?;
        let facts = object.facts();
        if facts.tombstone {
            let is_told = facts.visibility == Visibility::Public
                || has_link
                || caller.reads_private(&facts.tenant) && reads_deleted(service, caller, id).await?;
            let deleted = if is_told { Problem::deleted(facts.created) } else { no_file(&absent(id)) };
            return Err(deleted.into());
        }
        Ok(Found { record: parse(service, &key, &object)?, sha256: facts.sha256 })
    }

    /// Returns the record of a file with which the caller may do `action`.
    ///
    /// # Errors
    /// Fails as [`found`](Self::found) does, with 401, 403 or 404 if the caller may not do this, and with 410 if the file has
    /// expired.
    pub(crate) async fn readable<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &FileId,
        action: Action,
    ) -> Result<Found, Error> {
        let found = self.found(service, caller, id, false).await?;
        may(caller, &found.record.guarded(), action, false)
            .map_err(|refusal| refusal.problem(&absent(id)))?;
        match found.record.expires {
            Some(expires) if has_expired(expires, service.now()) => Err(expired(expires).into()),
            _ => Ok(found),
        }
    }

    /// Answers `GET /v1/files/{id}`.
    ///
    /// # Errors
    /// Fails as [`readable`](Self::readable) does.
    pub(crate) async fn show_file<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &FileId,
    ) -> Result<Reply, Error> {
        let found = self.readable(service, caller, id, Action::Read).await?;
        Ok(self.file_reply(caller, &found.record, &found.sha256))
    }

    fn file_reply(&self, caller: &Caller, record: &FileRecord, sha256: &Digest) -> Reply {
        with_tag(Reply::json(StatusCode::OK, &self.file_document(caller, record)), sha256)
    }

    /// Returns the document of a file: its record, as far as the caller may see it, with the addresses of its parts.
    pub(crate) fn file_document(&self, caller: &Caller, record: &FileRecord) -> Value {
        let sees_details = may(caller, &record.guarded(), Action::ReadDetails, false).is_ok();
        let shown = if sees_details { record.clone() } else { record.without_details() };
        let mut document = serde_json::to_value(&shown).unwrap_or_default();
        let url = |name| {
            let path = MediaPath { file: record.id, name };
            format!("{}{path}", self.settings.public_url)
        };
        let shown = document.get_mut("renditions").and_then(Value::as_array_mut);
        for (rendition, shown) in record.renditions.iter().zip(shown.into_iter().flatten()) {
            let (profile, format) = (rendition.name.profile.clone(), rendition.name.format);
            let version = version([rendition].into_iter());
            shown["url"] = json!(format!("{}?v={version}", url(MediaName::Rendition(profile, Some(format)))));
        }
        let profiles = record.renditions.iter().map(|made| &made.name.profile).chain(record.same.keys());
        for profile in profiles {
            let made = record.same.get(profile).unwrap_or(profile);
            let version =
                version(record.renditions.iter().filter(|rendition| rendition.name.profile == *made));
            let url = url(MediaName::Rendition(profile.clone(), None));
            document["urls"][profile.as_str()] = json!(format!("{url}?v={version}"));
        }
        let has_lists = |rules: &Collection| rules.max_per_entity.is_some();
        if sees_details
            && record.entity.is_none()
            && self.collection(&record.collection.name).is_some_and(has_lists)
        {
            document["unattached"] = json!(true);
        }
        if may(caller, &record.guarded(), Action::ReadOriginal, false).is_ok() {
            document["urls"]["original"] = json!(url(MediaName::Original));
        }
        document
    }

    /// Answers `PATCH /v1/files/{id}`.
    ///
    /// # Errors
    /// Fails with 400 if the body is invalid, with 404 or 403 if the caller may not change the file, with 412 if `If-Match`
    /// does not hold, with 429 if the owner moves focal points too often, and with 503 if too many pictures are rendered.
    /// Also fails if a provider or the index fails.
    pub(crate) async fn change_file<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &FileId,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Reply, Error> {
        self.readable(service, caller, id, Action::Change).await?;
        for _ in 0..MAX_ATTEMPTS {
            let current = current_record(service, id).await?.ok_or_else(|| no_file(&absent(id)))?;
            may(caller, &current.record.guarded(), Action::Change, false)
                .map_err(|refusal| refusal.problem(&absent(id)))?;
            check_removal(headers, &current.sha256)?;
            let rules = self.collection(&current.record.collection.name);
            let Some(changed) = change(&body, &current.record, rules, service.now())? else {
                // The change may have been made by a request that was cut off before it reached the row and the proofs.
                bring_together(service, &current.record, current.sha256).await?;
                if is_public(&current.record) && names_access(&body) {
                    self.publish_proofs(service, &current.record).await?;
                }
                return Ok(self.file_reply(caller, &current.record, &current.sha256));
            };
            let mut record = changed.record;
            if changed.cuts_anew {
                let rules = self.rendering_rules(&record)?.clone();
                quotas::count_as_announcement(self, service, &record).await?;
                // The proofs of new renditions become public with the file, and not before it.
                let access = record.access;
                if is_public(&record) {
                    record.access = current.record.access;
                }
                self.render_anew(service, &mut record, &rules).await?;
                record.access = access;
            }
            if let Some(sha256) = put_record(service, &record, Condition::Matches(current.tag)).await? {
                bring_together(service, &record, sha256).await?;
                if is_public(&record) && names_access(&body) {
                    self.publish_proofs(service, &record).await?;
                }
                return Ok(self.file_reply(caller, &record, &sha256));
            }
        }
        Err(contended())
    }

    /// Answers `POST /v1/files/{id}/renditions`: makes the renditions that the present profiles ask for, of all profiles or
    /// of the one in `asked`. If only missing ones are asked for, nothing is made for a file that has them.
    ///
    /// # Errors
    /// Fails with 404 if there is no such file for the caller, with 400 if its collection has no such profile, with 409 if
    /// its collection was removed, and with 503 if too many pictures are rendered. Also fails if a provider or the index
    /// fails.
    pub(crate) async fn make_renditions<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &FileId,
        asked: (bool, Option<&ProfileName>),
    ) -> Result<Reply, Error> {
        self.readable(service, caller, id, Action::Change).await?;
        for _ in 0..MAX_ATTEMPTS {
            let current = current_record(service, id).await?.ok_or_else(|| no_file(&absent(id)))?;
            let mut record = current.record.clone();
            let rules = self.rendering_rules(&record)?;
            if let Some(rules) = plan(&record, rules).again(rules, &names(&record), &record.same, asked)? {
                self.render_anew(service, &mut record, &rules).await?;
            }
            if record == current.record {
                bring_together(service, &record, current.sha256).await?;
                return Ok(self.file_reply(caller, &record, &current.sha256));
            }
            record.revision = record.revision.saturating_add(1);
            if let Some(sha256) = put_record(service, &record, Condition::Matches(current.tag)).await? {
                bring_together(service, &record, sha256).await?;
                return Ok(self.file_reply(caller, &record, &sha256));
            }
        }
        Err(contended())
    }

    /// Returns the present rules of a file's collection.
    fn rendering_rules(&self, record: &FileRecord) -> Result<&Collection, Error> {
        let rules = self.collection(&record.collection.name);
        rules.ok_or_else(|| not_rendered(Rejection::CollectionChanged).into())
    }

    /// Renders a picture again around its focal point, and puts the new renditions into its record. `rules` are the present
    /// rules of its collection: with all profiles, or only with those whose renditions are made again.
    async fn render_anew<P: Ports>(
        &self,
        service: &Service<P>,
        record: &mut FileRecord,
        rules: &Collection,
    ) -> Result<(), Error> {
        if record.kind.class() != FileClass::Picture {
            return Ok(());
        }
        let _turn = self.turns.take().await?;
        let key = ObjectKey::Media(MediaKey::Original(record.blob));
        let original = service.current(&key).await?;
        let original = original.ok_or_else(|| damaged(service, &key, &"the original is gone"))?;
        let focal = record.focal.unwrap_or(FocalPoint::CENTRE);
        let order = RenderOrder { kind: record.kind, collection: rules.clone(), focal };
        let original = original.verified.content();
        let picture = self.renderer.render(original.clone(), order).await;
        let picture = picture.map_err(|error| match error {
            NotRendered::Refused(reason) => Error::Problem(not_rendered(reason)),
            NotRendered::Failed(failure) => Error::Failure(failure),
        })?;
        // The file exists, so it is too late to refuse its location.
        let location = match rules.parent_location {
            ParentLocation::Refuse => ParentLocation::Bind,
            other => other,
        };
        let provenances =
            self.provenances(service, record, rules, location, original, &picture.renditions).await;
        let provenances = provenances.map_err(|unfinished| match unfinished {
            Unfinished::Rejected(reason) => not_rendered(reason).into(),
            Unfinished::Error(error) => error,
        })?;
        let noted = rows::blob(service, &record.blob).await?;
        // The file is being deleted, and was the last one.
        let noted = noted.filter(|row| row.state == State::Live).ok_or_else(contended)?;
        let mut renditions = Vec::new();
        for made in picture.renditions {
            renditions.push(put_rendition(service, record, &provenances, made).await?);
        }
        for _ in 0..MAX_ATTEMPTS {
            let row = rows::blob(service, &record.blob).await?.ok_or_else(contended)?;
            if !row.has_kept(&noted) {
                // Noting the blob has the renditions removed that were written after the removal.
                blobs::note(service, &BlobRow { holders: 0, ..noted }).await?;
                break;
            }
            let mut changes = Changes::default();
            let next = BlobRow { version: row.version + 1, ..row };
            changes.put(Row::Blob(next.with_renditions(&renditions)));
            if changes.commit(service).await? {
                let all = self.rendering_rules(record)?.clone();
                take_renditions(record, renditions, picture.same, rules, &all);
                return Ok(());
            }
        }
        Err(contended())
    }
}

fn is_public(record: &FileRecord) -> bool {
    record.access.visibility() == Visibility::Public
}

/// Returns `true` if the caller might have read a file that was deleted. Its row still tells whose it was.
async fn reads_deleted<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &FileId,
) -> Result<bool, Failure> {
    let row = rows::file(service, id).await?;
    Ok(row.is_some_and(|row| may(caller, &guarded(&row), Action::Read, false).is_ok()))
}

/// Returns the renditions that a file has to have by `rules`.
fn plan(record: &FileRecord, rules: &Collection) -> RenditionPlan {
    let focal = record.focal.unwrap_or(FocalPoint::CENTRE);
    let (width, height) = (record.width.unwrap_or_default(), record.height.unwrap_or_default());
    RenditionPlan::of(rules, record.kind, width, height, focal)
}

/// Returns the names of the renditions that a file has.
fn names(record: &FileRecord) -> BTreeSet<RenditionName> {
    record.renditions.iter().map(|made| made.name.clone()).collect()
}

/// Puts new renditions into a record. They were made by `rules`, which are `all` rules of the collection, or a part of them.
/// Renditions of other profiles stay, and all are in the order of the profiles.
fn take_renditions(
    record: &mut FileRecord,
    made: Vec<RenditionRecord>,
    same: BTreeMap<ProfileName, ProfileName>,
    rules: &Collection,
    all: &Collection,
) {
    if rules == all {
        record.renditions = made;
        record.same = same;
    } else {
        let is_made = |name: &ProfileName| rules.renditions.iter().any(|profile| profile.name == *name);
        record.renditions.retain(|rendition| !is_made(&rendition.name.profile));
        record.renditions.extend(made);
        let place = |name: &ProfileName| all.renditions.iter().position(|profile| profile.name == *name);
        record.renditions.sort_by_key(|rendition| place(&rendition.name.profile).unwrap_or(usize::MAX));
    }
    // By the version, an operator sees which files have everything that the present rules ask for.
    if plan(record, all).missing(&names(record)).next().is_none() {
        record.collection.version = all.version;
    }
}

/// Returns the refusal to render a picture.
fn not_rendered(reason: Rejection) -> Problem {
    Problem::new(ProblemKind::UploadConflict, reason.explanation()).with("reason", json!(reason))
}

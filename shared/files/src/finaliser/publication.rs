//! The publication of a file: its objects are written first, and then one commit makes them a file.

use credlink_core::access::Visibility;
use credlink_core::audit::is_audited;
use credlink_core::cache_policy::CachePolicy;
use credlink_core::collection::Collection;
use credlink_core::file::{BlobId, FileId, FileType, ListPlace, Rejection};
use credlink_core::file_record::{FILE_RECORD_VERSION, FileRecord, RecordCollection, RenditionRecord};
use credlink_core::hash::Digest;
use credlink_core::http::problem::ProblemKind;
use credlink_core::object::{Facts, MediaKey, ObjectKey, StoredTag};
use credlink_core::row::{BlobRow, FileRow, ListRow, Row, UploadRow, UploadState};
use credlink_core::rules::entity_list::{ListChange, change};
use credlink_core::rules::upload::{Event, follow};

use credlink_ports::{
    Cache as _, Condition, Failure, FailureKind, MadeRendition, Objects as _, Ports, Quarantine,
    RenderedPicture, Replicas as _,
};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use super::Unfinished;
use super::content::Content;
use super::provenance::{bind, keep_embedded, proof_of_original};
use super::signing::{Planned, Provenances, keep_signed};
use crate::changes::Changes;
use crate::consistency::update_row;
use crate::files::Files;
use crate::list_owner::is_list_of;
use crate::objects::{
    self, ATTEMPTS, CurrentRecord, Marks, OtherBytes, damaged, parse, put_bytes, put_record,
    remove_uncommitted, standing_bytes,
};
use crate::{blobs, quotas, rows};

impl<Q: Quarantine> Files<Q> {
    /// Writes the objects of a file, and commits it. Returns `false` if another finaliser was first.
    pub(super) async fn publish<P: Ports>(
        &self,
        service: &Service<P>,
        upload: &UploadRow,
        kind: FileType,
        content: Content,
        picture: Option<RenderedPicture>,
    ) -> Result<bool, Unfinished> {
        let rules = self.collection(&upload.collection);
        let rules = rules.ok_or(Unfinished::Rejected(Rejection::CollectionChanged))?;
        let mut record = self.record(service, upload, rules, kind, &content, picture.as_ref());
        if rows::file(service, &record.id).await?.is_some() {
            return Ok(self.close(service, upload, &record.id).await?);
        }
        // An upload that will be rejected leaves no proofs behind.
        may_be_committed(service, upload, rules, &record).await?;
        let made = picture.as_ref().map(|picture| picture.renditions.as_slice()).unwrap_or_default();
        let (location, original) = (rules.parent_location, content.bytes.clone());
        let provenances = self.provenances(service, &record, rules, location, original, made).await?;
        if let Some(embedded) = self.manifests.embedded(content.bytes.clone(), kind).await? {
            keep_embedded(service, &record, embedded).await?;
        }
        for _ in 0..MAX_ATTEMPTS {
            let noted = blobs::note(service, &BlobRow::of(&record)).await?;
            write(service, &mut record, &provenances, &content, picture.as_ref()).await?;
            let Some((record, sha256)) = write_record(service, &record).await? else { return Ok(false) };
            let committed = self.commit(service, upload, rules, &record, sha256, &noted).await;
            if let Err(Unfinished::Rejected(_)) = committed
                && is_rejected(service, upload).await?
            {
                // Whoever rejected it did so before the record was written. Another attempt finds the rejection.
                remove_uncommitted(service, &record.id, service.now()).await?;
            }
            let is_new = match committed? {
                Committed::BlobRemoved => continue,
                Committed::Now => true,
                Committed::Before => {
                    if record.revision > 1 {
                        // This attempt has written another revision while the other finaliser committed the one before.
                        update_row(service, &record, sha256).await?;
                    }
                    false
                }
            };
            // A reader who asked too early may have left the absence of the file in the cache.
            service.ports().cache().invalidate(&record.key()).await;
            service.announce().await;
            tracing::info!(upload = %upload.id, file = %record.id, bytes = record.bytes, "an upload became a file");
            return Ok(is_new);
        }
        Err(contended().into())
    }

    /// Returns the record of the file, still without renditions.
    fn record<P: Ports>(
        &self,
        service: &Service<P>,
        upload: &UploadRow,
        rules: &Collection,
        kind: FileType,
        content: &Content,
        picture: Option<&RenderedPicture>,
    ) -> FileRecord {
        let now = service.now();
        FileRecord {
            version: FILE_RECORD_VERSION,
            id: self.settings.link_keys.file_of(&upload.id),
            tenant: upload.tenant.clone(),
            revision: 1,
            collection: RecordCollection { name: upload.collection.clone(), version: rules.version },
            entity: upload.entity.clone(),
            access: upload.access,
            audited: is_audited(upload.access, Some(rules.access)),
            shows_original: rules.shows_original(kind),
            cache: rules.cache,
            blob: BlobId::derive(&upload.tenant, &content.hash),
            media_hash: content.hash,
            kind,
            bytes: upload.size,
            width: picture.map(|picture| picture.width),
            height: picture.map(|picture| picture.height),
            frames: picture.map(|picture| picture.frames).filter(|frames| *frames > 1),
            renditions: Vec::new(),
            same: picture.map(|picture| picture.same.clone()).unwrap_or_default(),
            thumbhash: picture.and_then(|picture| picture.thumbhash.clone()),
            focal: upload.focal,
            alt: None,
            tags: Default::default(),
            proof: None,
            created: now,
            expires: rules.expires_in.map(|seconds| now.plus_seconds(seconds)),
            owner: upload.owner.clone(),
            filename: upload.filename.clone(),
            details: picture.and_then(|picture| picture.details.clone()),
        }
    }

    /// Commits that an upload has become a file which exists already, because a rebuild of the index found its record and
    /// counted it. Returns `false` if another finaliser was first.
    pub(crate) async fn close<P: Ports>(
        &self,
        service: &Service<P>,
        upload: &UploadRow,
        file: &FileId,
    ) -> Result<bool, Error> {
        for attempt in 0..MAX_ATTEMPTS {
            let Some(current) = rows::upload(service, &upload.id).await? else { return Ok(false) };
            let found = follow(&current, &Event::Found(*file), service.now());
            let Ok(Some(next)) = found else { return Ok(false) };
            let mut changes = Changes::default();
            changes.put(Row::Upload(next));
            let Some(released) = quotas::released(service, &current).await? else { continue };
            changes.put_all(released);
            if changes.commit(service).await? {
                return Ok(true);
            }
            self.give_way(attempt).await;
        }
        Err(contended())
    }

    /// Commits the file: its row, and those of its upload, blob, list and quotas. A commit that is lost is decided again.
    async fn commit<P: Ports>(
        &self,
        service: &Service<P>,
        upload: &UploadRow,
        rules: &Collection,
        record: &FileRecord,
        sha256: Digest,
        noted: &BlobRow,
    ) -> Result<Committed, Unfinished> {
        for attempt in 0..MAX_ATTEMPTS {
            let now = service.now();
            let current = rows::upload(service, &upload.id).await?.unwrap_or_else(|| upload.clone());
            let next = match (current.state, follow(&current, &Event::Published(record.id), now)) {
                (UploadState::Ready { .. }, Ok(None)) => return Ok(Committed::Before),
                // The upload was aborted in the meantime, or rejected by another finaliser.
                (UploadState::Rejected { reason }, _) => return Err(Unfinished::Rejected(reason)),
                (_, Ok(Some(next))) => next,
                (_, Ok(None) | Err(_)) => return Err(contended().into()),
            };
            let mut changes = Changes::default();
            changes.put(Row::Upload(next));
            if let Some(entity) = record.entity.clone() {
                let place = ListPlace { entity, collection: upload.collection.clone() };
                changes.put(Row::List(attached(service, upload, rules, record.id, &place).await?));
            }
            // The blob was noted before its objects were written.
            let blob = rows::blob(service, &record.blob).await?.ok_or_else(contended)?;
            if !blob.has_kept(noted) {
                return Ok(Committed::BlobRemoved);
            }
            changes.put(Row::Blob(blob.held().with_renditions(&record.renditions)));
            changes.put(Row::File(file_row(record, rules, sha256)));
            let Some(settled) = quotas::settled(service, &current).await? else { continue };
            changes.put_all(settled);
            if changes.commit(service).await? {
                return Ok(Committed::Now);
            }
            self.give_way(attempt).await;
        }
        Err(contended().into())
    }
}

/// Checks that an upload was not rejected meanwhile, and that the list of its entity takes the file.
///
/// # Errors
/// Fails with the rejection, or if the index fails.
async fn may_be_committed<P: Ports>(
    service: &Service<P>,
    upload: &UploadRow,
    rules: &Collection,
    record: &FileRecord,
) -> Result<(), Unfinished> {
    if let Some(UploadRow { state: UploadState::Rejected { reason }, .. }) =
        rows::upload(service, &upload.id).await?
    {
        return Err(Unfinished::Rejected(reason));
    }
    if let Some(entity) = record.entity.clone() {
        let place = ListPlace { entity, collection: upload.collection.clone() };
        attached(service, upload, rules, record.id, &place).await?;
    }
    Ok(())
}

async fn is_rejected<P: Ports>(service: &Service<P>, upload: &UploadRow) -> Result<bool, Failure> {
    let row = rows::upload(service, &upload.id).await?;
    Ok(row.is_some_and(|row| matches!(row.state, UploadState::Rejected { .. })))
}

/// The outcome of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Committed {
    /// This commit has made the file.
    Now,
    /// Another finaliser had made the file before.
    Before,
    /// The objects of the blob were removed in the meantime, and have to be written again.
    BlobRemoved,
}

/// Writes the objects of a blob: the original, and its renditions, which are put into the record.
async fn write<P: Ports>(
    service: &Service<P>,
    record: &mut FileRecord,
    provenances: &Provenances,
    content: &Content,
    picture: Option<&RenderedPicture>,
) -> Result<(), Error> {
    let original = MediaKey::Original(record.blob);
    // Another file of the blob may be private, so the bytes themselves are never public.
    let (visibility, cache) = (Visibility::Private, CachePolicy::Nothing);
    let marks = Marks { tenant: &record.tenant, visibility, cache };
    put_bytes(service, original, content.bytes.clone(), marks, OtherBytes::AreReplaced).await?;
    record.renditions.clear();
    for made in picture.into_iter().flat_map(|picture| &picture.renditions) {
        let rendition = put_rendition(service, record, provenances, made.clone()).await?;
        record.renditions.push(rendition);
    }
    record.proof = proof_of_original(service, record).await?;
    Ok(())
}

/// Writes a rendition and its proof. Returns its entry in the record. A signed manifest is stored before the rendition that
/// points to it. If another attempt's rendition stands there, that one counts, with its own proof.
pub(crate) async fn put_rendition<P: Ports>(
    service: &Service<P>,
    record: &FileRecord,
    provenances: &Provenances,
    made: MadeRendition,
) -> Result<RenditionRecord, Error> {
    let key = MediaKey::Rendition(record.blob, made.name.clone());
    let planned = provenances.of(&made.name);
    let standing = match planned {
        Planned::Signed(_) | Planned::Standing => standing_bytes(service, &key).await?,
        Planned::Nothing | Planned::Bound => None,
    };
    let is_bound = !matches!(planned, Planned::Nothing);
    let stored = match (standing, &planned) {
        (Some(stored), _) => stored,
        // The rendition was removed after the others were signed. The next attempt signs it too.
        (None, Planned::Standing) => return Err(contended()),
        (None, _) => {
            let mut bytes = made.bytes;
            if let Planned::Signed(signed) = planned
                && keep_signed(service, record, signed).await?
            {
                bytes = signed.bytes.clone();
            }
            let cache = record.served().cache_policy(made.name.format.file_type(), true);
            let marks = Marks { tenant: &record.tenant, visibility: record.access.visibility(), cache };
            put_bytes(service, key, bytes, marks, OtherBytes::AreKept).await?
        }
    };
    let mut rendition = RenditionRecord {
        name: made.name,
        width: made.width,
        height: made.height,
        bytes: stored.length,
        sha256: stored.sha256,
        proof: None,
    };
    if is_bound {
        // A signed rendition keeps its manifest.
        rendition.proof = Some(bind(service, record, &rendition).await?);
    }
    Ok(rendition)
}

/// Writes the first record of a file, and returns it. Returns `None` if another finaliser has committed the file, whose
/// record is left alone.
///
/// A record that is there already was written by an earlier attempt, or by another finaliser that is about to commit it, or
/// it belongs to a file that an older index does not know and that its owner has changed since. So it is adopted. Only its
/// renditions are brought up to date, with its next revision, if some of them are no longer there.
///
/// # Errors
/// Fails if the object in its place is not a record of the same bytes, so that the index lacks a file which was deleted or
/// has another content. Also fails if a provider or the index fails.
async fn write_record<P: Ports>(
    service: &Service<P>,
    record: &FileRecord,
) -> Result<Option<(FileRecord, Digest)>, Error> {
    for _ in 0..ATTEMPTS {
        if let Some(sha256) = put_record(service, record, Condition::Absent).await? {
            return Ok(Some((record.clone(), sha256)));
        }
        let standing = standing(service, record).await?;
        if rows::file(service, &record.id).await?.is_some() {
            return Ok(None);
        }
        let (next, condition) = match standing {
            Standing::Nothing => continue,
            Standing::Damaged(tag) => {
                // The damaged object may be the record of a file that the index lacks.
                service.may_collect().await?;
                (record.clone(), Condition::Matches(tag))
            }
            Standing::Record(current) => {
                let CurrentRecord { tag, sha256, record: standing } = *current;
                if is_right(service, &standing, record).await? {
                    return Ok(Some((standing, sha256)));
                }
                (with_renditions_of(standing, record), Condition::Matches(tag))
            }
        };
        if let Some(sha256) = put_record(service, &next, condition).await? {
            return Ok(Some((next, sha256)));
        }
    }
    Err(objects::contended(service, &record.key()).into())
}

/// The object that is stored as the first record of a file.
enum Standing {
    /// There is no object any longer.
    Nothing,
    /// An object that cannot be read, with its tag.
    Damaged(StoredTag),
    /// A record of the same bytes.
    Record(Box<CurrentRecord>),
}

/// Returns the object that is stored as the first record of a file.
///
/// # Errors
/// Fails if the object is a tombstone, or the record of other bytes: the index lacks the file. Also fails if a provider fails.
async fn standing<P: Ports>(service: &Service<P>, record: &FileRecord) -> Result<Standing, Error> {
    let key = record.key();
    let Some(head) = service.ports().objects().head(&key).await? else { return Ok(Standing::Nothing) };
    let current = match service.current(&key).await {
        Ok(current) => current,
        Err(failure) if failure.kind == FailureKind::Damaged => return Ok(Standing::Damaged(head.tag)),
        Err(failure) => return Err(failure.into()),
    };
    let Some(current) = current else { return Ok(Standing::Nothing) };
    if current.verified.facts().tombstone {
        let why = "the file was deleted, and the index does not know of it: rebuild the index";
        return Err(damaged(service, &key, &why).into());
    }
    let found = parse(service, &key, &current.verified)?;
    if found.blob != record.blob {
        let why =
            "the file has other bytes than its upload, and the index does not know of it: rebuild the index";
        return Err(damaged(service, &key, &why).into());
    }
    let facts = current.verified.facts();
    service.ports().objects().confirm(&key, facts).await?;
    // If it was replaced between the two reads, the tag does not match it, and the swap is lost.
    Ok(Standing::Record(Box::new(CurrentRecord { tag: head.tag, sha256: facts.sha256, record: found })))
}

/// Returns `true` if a stored record is as good as `record`, whose renditions are all stored. Renditions that its owner has
/// had cut anew have to be stored too.
async fn is_right<P: Ports>(
    service: &Service<P>,
    standing: &FileRecord,
    record: &FileRecord,
) -> Result<bool, Failure> {
    if standing.revision == 1 {
        return Ok(standing.renditions == record.renditions && standing.proof == record.proof);
    }
    for made in standing.renditions.iter().filter(|made| !record.renditions.contains(made)) {
        let key = ObjectKey::Media(MediaKey::Rendition(standing.blob, made.name.clone()));
        let head = service.ports().objects().head(&key).await?;
        let facts = head.and_then(|head| Facts::read(&head.attributes).ok());
        if facts.is_none_or(|facts| facts.sha256 != made.sha256) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the next revision of a stored record, with the renditions of `record`.
fn with_renditions_of(standing: FileRecord, record: &FileRecord) -> FileRecord {
    let FileRecord { collection, renditions, same, thumbhash, focal, proof, .. } = record.clone();
    let revision = standing.revision.saturating_add(1);
    let proof = proof.or(standing.proof);
    FileRecord { revision, collection, renditions, same, thumbhash, focal, proof, ..standing }
}

/// Returns the list of an entity after the file was put into its place.
async fn attached<P: Ports>(
    service: &Service<P>,
    upload: &UploadRow,
    rules: &Collection,
    file: FileId,
    place: &ListPlace,
) -> Result<ListRow, Unfinished> {
    let row = rows::list(service, &upload.tenant, place).await?;
    if !is_list_of(service, row.as_ref(), upload.owner.as_ref()).await? {
        return Err(Unfinished::Rejected(Rejection::ListOfAnother));
    }
    let row = row.unwrap_or_else(|| ListRow::empty(&upload.tenant, place));
    let attach = ListChange::Attach(file, upload.position);
    let changed = change(&row.files, &attach, place, rules).map_err(|problem| match problem.kind {
        ProblemKind::ListFull => Unfinished::Rejected(Rejection::ListFull),
        _ => Unfinished::Error(problem.into()),
    })?;
    Ok(row.with(changed.list))
}

/// Returns the first row of a file.
fn file_row(record: &FileRecord, rules: &Collection, record_sha256: Digest) -> FileRow {
    let has_lists = rules.max_per_entity.is_some();
    let is_unattached = record.entity.is_none() && has_lists;
    FileRow { unattached: is_unattached.then_some(record.created), ..FileRow::first(record, record_sha256) }
}

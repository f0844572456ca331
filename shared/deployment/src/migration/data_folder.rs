//! The data folder of a CredLink store that no server is running on, as a source: its proofs as the index lists them,
//! with all their records; the manifests that were stored for themselves; and every legacy ID.
//!
//! Opening the folder takes its lock, as serving it would, and keeps it. Removing a proof deletes it: a tombstone takes
//! its place. A legacy ID stays, and leads to the tombstone.

use std::path::Path;

use credlink_core::access::Visibility;
use credlink_core::front::Front;
use credlink_core::hash::Digest;
use credlink_core::http::problem::ProblemKind;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ProofRow, Row, RowKey, State};
use credlink_ports::migration::{Content, Item, Removal, Source};
use credlink_ports::{Failure, FailureKind, Index as _, Listing, Page};
use credlink_service::delete::{delete_manifest, delete_proof};
use credlink_service::error::Error;
use credlink_service::{Service, ServiceSettings};
use http::header::IF_MATCH;
use http::{HeaderMap, HeaderValue, StatusCode};

use credlink_auth::gate::Gate;
use credlink_disk::folder::Folder;
use credlink_migrate_io::side::Side;
use credlink_migrate_io::source::layout::Layout;
use credlink_migrate_io::source::names::{Named, Part, is_alias, manifest_version};

use crate::data_folder::NewIndex;
use crate::embedded::PASSING_CACHE_BYTES;
use crate::local::{self, Local};

pub use crate::local::OpenError;

/// The name by which operators know this source.
const NAME: &str = "dir";

/// The data folder of a CredLink store.
#[derive(Debug)]
pub struct DataFolder {
    service: Service<Local>,
    layout: Layout<Folder>,
}

impl DataFolder {
    pub(super) async fn side(&self) -> Result<Side, Failure> {
        self.layout.side().await
    }

    /// Opens the data folder at `path`.
    ///
    /// # Errors
    /// Returns an error if a server is running on it, if it is damaged, or if the file system refuses.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let settings = ServiceSettings::default();
        let service = local::open_within(
            path,
            Gate::of(None, None),
            settings,
            PASSING_CACHE_BYTES,
            NewIndex::OverNothing,
        )?;
        let layout = Layout::new(service.ports().objects.clone());
        Ok(Self { service, layout })
    }

    async fn row(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        self.service.ports().index.get(key).await
    }

    /// Returns a legacy ID with the record of the proof that it names.
    async fn alias(&self, id: LegacyId) -> Result<Option<Content>, Failure> {
        let row = self.row(&RowKey::Alias(id.clone())).await?;
        let Some(alias) = row.filter(|row| row.stands_alone_for().is_some()).and_then(Row::alias) else {
            return Ok(None);
        };
        let proof = alias.proof;
        let gone = || Content::Gone(format!("it names the proof {proof}, which is deleted"));
        if self.live(&proof).await?.is_none() {
            return Ok(Some(gone()));
        }
        match self.layout.read(&proof).await? {
            Some(Content::Proof(mut revisions)) if !revisions.is_empty() => {
                Ok(revisions.pop().map(|current| Content::Alias { id, record: current.record }))
            }
            _ if self.live(&proof).await?.is_none() => Ok(Some(gone())),
            _ => Err(damaged(&ObjectKey::Record(proof))),
        }
    }

    /// Returns a manifest that was stored for itself.
    async fn manifest(&self, id: ManifestKey) -> Result<Option<Content>, Failure> {
        let row = self.row(&RowKey::Manifest(id.clone())).await?;
        if row.as_ref().and_then(Row::stands_alone_for).is_none() {
            return Ok(None);
        }
        match self.layout.read_manifest(&id).await? {
            Some(Content::Manifest { bytes, tenant, visibility }) => {
                let visibility = self.readers(&id, visibility).await?;
                Ok(Some(Content::Manifest { bytes, tenant, visibility }))
            }
            _ => Err(damaged(&ObjectKey::Manifest(id))),
        }
    }

    /// Returns the readers of a manifest whose object says `visibility`. If a withdrawal was interrupted, only the row
    /// says that the manifest is private.
    async fn readers(&self, id: &ManifestKey, visibility: Visibility) -> Result<Visibility, Failure> {
        let row = self.row(&RowKey::Manifest(id.clone())).await?.and_then(Row::manifest);
        Ok(row.map(|row| row.visibility).filter(|said| *said == Visibility::Private).unwrap_or(visibility))
    }

    /// Returns a proof with the readers of its manifests.
    async fn with_readers(&self, content: Content) -> Result<Content, Failure> {
        let Content::Proof(mut revisions) = content else { return Ok(content) };
        for revision in &mut revisions {
            let Some(manifest) = &mut revision.manifest else { continue };
            let record = Record::parse(&revision.record).ok();
            let id = record.and_then(|record| Some(ManifestKey::new(&record.tenant, &record.manifest.id?)));
            if let Some(id) = id {
                manifest.visibility = self.readers(&id, manifest.visibility).await?;
            }
        }
        Ok(Content::Proof(revisions))
    }

    /// Returns the version of a proof: its record, and the manifests among its own whose readers differ from the
    /// proof's.
    async fn version(&self, row: &ProofRow) -> Result<String, Failure> {
        let mut others = String::new();
        for id in &row.held {
            let key = RowKey::Manifest(ManifestKey::new(&row.tenant, id));
            let manifest = self.row(&key).await?.and_then(Row::manifest);
            if manifest.is_some_and(|manifest| manifest.visibility != row.visibility) {
                others.push_str(id.as_str());
                others.push(' ');
            }
        }
        let record = row.record_sha256;
        Ok(if others.is_empty() {
            record.to_string()
        } else {
            format!("{record} {}", Digest::of(others.as_bytes()))
        })
    }

    /// Returns the item of a row in this part of the listing.
    async fn item(&self, row: &Row, part: Part) -> Result<Option<Item>, Failure> {
        Ok(match (row, part) {
            (Row::Proof(row), Part::Proofs) if row.state == State::Live => Some(Item {
                key: Named::Proof(row.id).to_string(),
                size: row.manifest_length,
                version: self.version(row).await?,
            }),
            (Row::Manifest(manifest), Part::Manifests) => row.stands_alone_for().map(|_| Item {
                key: Named::Manifest(manifest.manifest_key()).to_string(),
                size: manifest.length,
                version: manifest_version(&manifest.sha256, manifest.visibility),
            }),
            (Row::Alias(alias), Part::Aliases) => row.stands_alone_for().map(|_| Item {
                key: Named::Alias(alias.id.clone()).to_string(),
                size: 0,
                version: alias.proof.to_string(),
            }),
            _ => None,
        })
    }

    async fn remove_manifest(&self, id: &ManifestKey, named: &Item) -> Result<Removal, Failure> {
        let row = self.row(&RowKey::Manifest(id.clone())).await?;
        let Some(row) = row.filter(|row| row.stands_alone_for().is_some()).and_then(Row::manifest) else {
            return Ok(Removal::Absent);
        };
        if manifest_version(&row.sha256, row.visibility) != named.version {
            return Ok(Removal::Changed);
        }
        match delete_manifest(&self.service, id, None, false).await {
            Ok(Some(_)) => Ok(Removal::Removed),
            Ok(None) => Ok(Removal::Absent),
            // Proofs hold the manifest, which is deleted with the last of them.
            Err(Error::Problem(problem)) if problem.kind == ProblemKind::ManifestHeld => Ok(Removal::Changed),
            Err(Error::Problem(problem)) => {
                Err(Failure { provider: NAME, kind: FailureKind::Unavailable, message: problem.detail })
            }
            Err(Error::Failure(failure)) => Err(failure),
        }
    }

    /// Returns the row of a live proof.
    async fn live(&self, id: &ProofId) -> Result<Option<ProofRow>, Failure> {
        let row = self.service.ports().index.get(&RowKey::Proof(*id)).await?;
        Ok(row.and_then(Row::proof).filter(|row| row.state == State::Live))
    }
}

fn damaged(key: &ObjectKey) -> Failure {
    let message = format!("{key}: the index names it, and it is not there");
    Failure { provider: NAME, kind: FailureKind::Damaged, message }
}

impl Source for DataFolder {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        let none = || Failure {
            provider: NAME,
            kind: FailureKind::Damaged,
            message: format!("`{}` is no place in this folder's listing", after.unwrap_or_default()),
        };
        let (part, place) = Part::read(after).ok_or_else(none)?;
        // Each part walks over all rows, which is cheap enough in a folder of this machine.
        let page = self.service.ports().index.list(&Listing::All, place, limit).await?.ok_or_else(none)?;
        let mut items = Vec::new();
        for row in &page.items {
            items.extend(self.item(row, part).await?);
        }
        Ok(Page { items, next: part.cursor(page.next.as_deref()) })
    }

    async fn front(&self, id: &ManifestId) -> Result<Option<Front>, Failure> {
        self.layout.read_front(id).await
    }

    fn follows(&self, item: &Item) -> bool {
        is_alias(&item.key)
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        let id = match key.parse() {
            Ok(Named::Proof(id)) => id,
            Ok(Named::Alias(id)) => return self.alias(id).await,
            Ok(Named::Manifest(id)) => return self.manifest(id).await,
            Err(()) => return Ok(None),
        };
        if self.live(&id).await?.is_none() {
            return Ok(None);
        }
        match self.layout.read(&id).await? {
            Some(content) => self.with_readers(content).await.map(Some),
            // The proof was deleted in the meantime; or else the index names an object that is missing.
            None if self.live(&id).await?.is_none() => Ok(None),
            None => Err(damaged(&ObjectKey::Record(id))),
        }
    }

    async fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        let (key, part) = match key.parse() {
            Ok(Named::Proof(id)) => (RowKey::Proof(id), Part::Proofs),
            Ok(Named::Alias(id)) => (RowKey::Alias(id), Part::Aliases),
            Ok(Named::Manifest(id)) => (RowKey::Manifest(id), Part::Manifests),
            Err(()) => return Ok(None),
        };
        let Some(row) = self.row(&key).await? else { return Ok(None) };
        if let Row::Alias(alias) = &row
            && self.live(&alias.proof).await?.is_none()
        {
            return Ok(None);
        }
        self.item(&row, part).await
    }

    async fn remove(&self, named: &Item) -> Result<Removal, Failure> {
        let id = match named.key.parse() {
            Ok(Named::Proof(id)) => id,
            Ok(Named::Manifest(id)) => return self.remove_manifest(&id, named).await,
            Ok(Named::Alias(id)) => {
                let message = format!(
                    "the legacy id `{id}` is not removed by itself: it leads where its proof's id does"
                );
                return Err(Failure { provider: NAME, kind: FailureKind::AccessDenied, message });
            }
            Err(()) => return Ok(Removal::Absent),
        };
        let Some(row) = self.live(&id).await? else { return Ok(Removal::Absent) };
        if self.version(&row).await? != named.version {
            return Ok(Removal::Changed);
        }
        let mut headers = HeaderMap::new();
        // A digest is visible ASCII. The tag guards against a row that is replaced in the meantime.
        let tag = HeaderValue::from_str(&format!("\"{}\"", row.record_sha256));
        headers.insert(IF_MATCH, tag.unwrap_or(HeaderValue::from_static("\"\"")));
        match delete_proof(&self.service, &id, &row.tenant, &headers, None).await {
            Ok(Some(_)) => Ok(Removal::Removed),
            Ok(None) => Ok(Removal::Absent),
            Err(Error::Problem(problem)) if problem.kind.status() == StatusCode::PRECONDITION_FAILED => {
                Ok(Removal::Changed)
            }
            Err(Error::Problem(problem)) => {
                Err(Failure { provider: NAME, kind: FailureKind::Unavailable, message: problem.detail })
            }
            Err(Error::Failure(failure)) => Err(failure),
        }
    }
}

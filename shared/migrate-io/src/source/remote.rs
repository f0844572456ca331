//! The proofs of another CredLink, over its API.
//!
//! * **Items** are the live proofs of the credential's tenant, by their IDs. Their version is the revision, which no
//!   two records of a proof share, however often the proof is deleted and stored again. After them come the manifests
//!   that were stored for themselves, and the legacy IDs: every ID that leads to a proof, including those that records
//!   name.
//! * **Reading** returns the current record, the earlier records and their manifests. Each is compared with the digest
//!   that the API or the record states. The visibility of a manifest is read from the answer's `Cache-Control`.
//! * **Removal** is a deletion with `If-Match`, so a record that was replaced since remains. A legacy ID is not removed
//!   by itself.

mod object;
mod pages;

use credlink_core::front::Front;
use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyId;
use credlink_core::link::exact_path;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_ports::migration::{Content, Item, Removal, Revision, Source};
use credlink_ports::{Failure, FailureKind, Page};
use http::{Method, StatusCode};

use super::names::{Named, Part, is_alias, manifest_version};
use crate::api::{Api, NAME, Question, TokenError, Unexpected as _, failure};
use crate::side::Side;
use object::{Read, damaged};
use pages::{Aliases, AloneManifest, Listed, ListedAlias, Manifests, part};

pub(crate) use pages::{page, proof_named, side};

/// Another CredLink as a source.
#[derive(Debug, Clone)]
pub struct Remote {
    api: Api,
}

impl Remote {
    /// Creates a source for the CredLink at `url`.
    ///
    /// # Errors
    /// Fails if the token is not a valid header value.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, TokenError> {
        Ok(Self { api: Api::new(url, token)? })
    }

    /// Returns the store, and the tenant of the credential.
    pub async fn side(&self) -> Result<Side, Failure> {
        side(&self.api).await
    }

    async fn proof(&self, id: &ProofId) -> Result<Option<Vec<Revision>>, Failure> {
        let Some(current) = self.record(&ObjectKey::Record(*id)).await? else { return Ok(None) };
        let mut revisions = Vec::new();
        for revision in current.record.first_revision..current.record.revision {
            // If a part is absent, the proof was probably deleted while it was being read. Reading the current record
            // again tells.
            let Some(read) = self.record(&ObjectKey::Revision(*id, revision)).await? else {
                return self.gone(id, &current).await;
            };
            let Some(revision) = self.revision(read).await? else { return self.gone(id, &current).await };
            revisions.push(revision);
        }
        let tag = Digest::of(&current.bytes);
        match self.revision(current).await? {
            Some(revision) => revisions.push(revision),
            None => return self.gone_at(id, tag).await,
        }
        Ok(Some(revisions))
    }

    async fn manifest(&self, id: ManifestKey) -> Result<Option<Content>, Failure> {
        let key = ObjectKey::Manifest(id);
        let Some(object) = self.object(&key).await? else { return Ok(None) };
        if object.tag != Some(Digest::of(&object.bytes)) {
            return Err(damaged(&key, &"it does not have the digest that the API names"));
        }
        let visibility = object.readers(&key)?;
        let ObjectKey::Manifest(ManifestKey { tenant, .. }) = key else { return Ok(None) };
        Ok(Some(Content::Manifest { bytes: object.bytes, tenant: Some(tenant), visibility }))
    }

    async fn alias(&self, id: LegacyId) -> Result<Option<Content>, Failure> {
        let Some(proof) = proof_named(&self.api, &id).await? else { return Ok(None) };
        Ok(Some(match self.record(&ObjectKey::Record(proof)).await? {
            Some(Read { bytes, .. }) => Content::Alias { id, record: bytes },
            None => Content::Gone(format!("it names the proof {proof}, which is deleted or has expired")),
        }))
    }

    async fn remove_manifest(&self, id: ManifestKey, item: &Item) -> Result<Removal, Failure> {
        let key = ObjectKey::Manifest(id);
        let Some(object) = self.object(&key).await? else { return Ok(Removal::Absent) };
        if object.manifest_version(&key)? != item.version {
            return Ok(Removal::Changed);
        }
        let target = format!("/v1{}", exact_path(&key));
        let answer = self.api.ask(Question::new(Method::DELETE, target.clone())).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(Removal::Removed),
            // Proofs refer to the manifest, and it is deleted with the last of them.
            StatusCode::CONFLICT => Ok(Removal::Changed),
            StatusCode::FORBIDDEN => {
                Err(failure(FailureKind::AccessDenied, format!("{target}: {}", answer.problem().detail)))
            }
            _ => Err(answer.unexpected(&target)),
        }
    }

    async fn gone(&self, id: &ProofId, current: &Read) -> Result<Option<Vec<Revision>>, Failure> {
        self.gone_at(id, Digest::of(&current.bytes)).await
    }

    /// Returns `None` if the record with this digest is no longer there. Fails if it is there and a part of it is
    /// missing.
    async fn gone_at(&self, id: &ProofId, tag: Digest) -> Result<Option<Vec<Revision>>, Failure> {
        let key = ObjectKey::Record(*id);
        match self.object(&key).await? {
            None => Ok(None),
            Some(object) if Digest::of(&object.bytes) == tag => {
                Err(damaged(&key, &"an earlier record or a manifest of it is not there"))
            }
            Some(_) => {
                Err(failure(FailureKind::Unavailable, format!("{key}: it was replaced while it was read")))
            }
        }
    }
}

fn version(revision: u32) -> String {
    format!("revision {revision}")
}

impl Source for Remote {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn front(&self, id: &ManifestId) -> Result<Option<Front>, Failure> {
        self.read_front(id).await
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        let none =
            || failure(FailureKind::Unavailable, format!("`{}` is no cursor", after.unwrap_or_default()));
        let (at, after) = Part::read(after).ok_or_else(none)?;
        let (items, next): (Vec<Item>, _) = match at {
            Part::Proofs => {
                let page = page(&self.api, after, limit).await?;
                let item = |listed: Listed| Item {
                    key: Named::Proof(listed.id).to_string(),
                    size: listed.manifest.length,
                    version: version(listed.revision),
                };
                (page.proofs.into_iter().map(item).collect(), page.next)
            }
            Part::Manifests => {
                let page: Manifests = part(&self.api, "manifests", after, limit).await?;
                let item = |listed: AloneManifest| Item {
                    key: Named::Manifest(ManifestKey { id: listed.id, tenant: listed.tenant }).to_string(),
                    size: listed.length,
                    version: manifest_version(&listed.sha256, listed.visibility),
                };
                (page.manifests.into_iter().map(item).collect(), page.next)
            }
            Part::Aliases => {
                let page: Aliases = part(&self.api, "aliases", after, limit).await?;
                let item = |listed: ListedAlias| Item {
                    key: Named::Alias(listed.id).to_string(),
                    size: 0,
                    version: listed.proof.to_string(),
                };
                (page.aliases.into_iter().map(item).collect(), page.next)
            }
        };
        Ok(Page { items, next: at.cursor(next.as_deref()) })
    }

    fn follows(&self, item: &Item) -> bool {
        is_alias(&item.key)
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        match key.parse() {
            Ok(Named::Proof(id)) => Ok(self.proof(&id).await?.map(Content::Proof)),
            Ok(Named::Alias(id)) => self.alias(id).await,
            Ok(Named::Manifest(id)) => self.manifest(id).await,
            Err(()) => Ok(None),
        }
    }

    async fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        let (size, version) = match key.parse() {
            Ok(Named::Proof(id)) => {
                let read = self.record(&ObjectKey::Record(id)).await?;
                let Some(Read { record, .. }) = read else { return Ok(None) };
                (record.manifest.length, version(record.revision))
            }
            Ok(Named::Manifest(id)) => {
                let key = ObjectKey::Manifest(id);
                let Some(found) = self.object(&key).await? else { return Ok(None) };
                (found.bytes.len() as u64, found.manifest_version(&key)?)
            }
            Ok(Named::Alias(id)) => {
                let Some(proof) = proof_named(&self.api, &id).await? else { return Ok(None) };
                if self.record(&ObjectKey::Record(proof)).await?.is_none() {
                    return Ok(None);
                }
                (0, proof.to_string())
            }
            Err(()) => return Ok(None),
        };
        Ok(Some(Item { key: key.to_owned(), size, version }))
    }

    async fn remove(&self, item: &Item) -> Result<Removal, Failure> {
        let id = match item.key.parse() {
            Ok(Named::Proof(id)) => id,
            Ok(Named::Manifest(id)) => return self.remove_manifest(id, item).await,
            Ok(Named::Alias(id)) => {
                let why = format!(
                    "the legacy id `{id}` is not removed by itself: it leads where its proof's id does"
                );
                return Err(failure(FailureKind::AccessDenied, why));
            }
            Err(()) => return Ok(Removal::Absent),
        };
        let key = ObjectKey::Record(id);
        let Some(Read { bytes, record }) = self.record(&key).await? else { return Ok(Removal::Absent) };
        if version(record.revision) != item.version {
            return Ok(Removal::Changed);
        }
        let target = format!("/v1{}", exact_path(&key));
        let mut question = Question::new(Method::DELETE, target.clone());
        question.if_match = Some(Digest::of(&bytes));
        let answer = self.api.ask(question).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(Removal::Removed),
            StatusCode::PRECONDITION_FAILED => Ok(Removal::Changed),
            StatusCode::FORBIDDEN => {
                Err(failure(FailureKind::AccessDenied, format!("{target}: {}", answer.problem().detail)))
            }
            _ => Err(answer.unexpected(&target)),
        }
    }
}

//! The data folder of a CredLink that nobody serves: its proofs by the index, with all their records.
//!
//! Opening it takes the folder's lock, as serving it would, and keeps it. Removing a proof is deleting it: a marker takes
//! its place.

use std::path::Path;

use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, Row, RowKey, State};
use credlink_service::delete::delete_proof;
use credlink_service::error::Error;
use credlink_service::migrate::ports::{Content, Item, Removal, Source};
use credlink_service::ports::{Failure, FailureKind, Index as _, Listing, Page};
use credlink_service::{Service, Settings};
use http::header::IF_MATCH;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::layout::Layout;
use crate::gate::Gate;
use crate::local::{self, Local, OpenError};
use crate::provider::Provider;

/// The name that operators know this source by.
const NAME: &str = "dir";

/// A CredLink's data folder.
#[derive(Debug)]
pub struct DataFolder {
    service: Service<Local>,
    layout: Layout,
}

impl DataFolder {
    /// The data folder at `path`.
    ///
    /// # Errors
    /// A server is running on it, it is damaged, or the file system refuses.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let settings = Settings { public_url: String::new(), link_keys: None, count_reads: false };
        let service = local::open(path, Gate::of(None, None), settings)?;
        let layout = Layout::new(Provider::Folder(service.ports().objects.clone()));
        Ok(Self { service, layout })
    }

    /// The row of a live proof.
    async fn live(&self, id: &ProofId) -> Result<Option<ProofRow>, Failure> {
        let row = self.service.ports().index.get(&RowKey::Proof(*id)).await?;
        Ok(row.and_then(Row::proof).filter(|row| row.state == State::Live))
    }
}

fn item(row: &ProofRow) -> Item {
    Item { key: row.id.to_string(), size: row.manifest_length, version: row.record_sha256.to_string() }
}

impl Source for DataFolder {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        let page = self.service.ports().index.list(&Listing::All, after, limit).await?;
        let page = page.ok_or_else(|| Failure {
            provider: NAME,
            kind: FailureKind::Damaged,
            message: format!("`{}` is no place in this folder's listing", after.unwrap_or_default()),
        })?;
        let rows = page.items.into_iter().filter_map(Row::proof);
        let items = rows.filter(|row| row.state == State::Live).map(|row| item(&row)).collect();
        Ok(Page { items, next: page.next })
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        let Ok(id) = key.parse() else { return Ok(None) };
        if self.live(&id).await?.is_none() {
            return Ok(None);
        }
        match self.layout.read(&id).await? {
            Some(content) => Ok(Some(content)),
            // It was deleted meanwhile; or the index names what is not there.
            None if self.live(&id).await?.is_none() => Ok(None),
            None => Err(Failure {
                provider: NAME,
                kind: FailureKind::Damaged,
                message: format!("{}: the index names it, and it is not there", ObjectKey::Record(id)),
            }),
        }
    }

    async fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        let Ok(id) = key.parse() else { return Ok(None) };
        Ok(self.live(&id).await?.map(|row| item(&row)))
    }

    async fn remove(&self, named: &Item) -> Result<Removal, Failure> {
        let Ok(id) = named.key.parse() else { return Ok(Removal::Absent) };
        let Some(row) = self.live(&id).await? else { return Ok(Removal::Absent) };
        let mut headers = HeaderMap::new();
        // A digest is visible ASCII; what is none matches nothing.
        let tag = HeaderValue::from_str(&format!("\"{}\"", named.version));
        headers.insert(IF_MATCH, tag.unwrap_or(HeaderValue::from_static("\"\"")));
        match delete_proof(&self.service, &id, &row.tenant, &headers).await {
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

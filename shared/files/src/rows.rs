//! Single rows of the index.

use credlink_core::file::{BlobId, FileId, ListPlace, OwnerId, UploadId};
use credlink_core::row::{BlobRow, FileRow, ListRow, QuotaRow, Row, RowKey, UploadRow};
use credlink_core::tenant::Tenant;

use credlink_ports::{Failure, Index as _, Ports};
use credlink_service::Service;

async fn get<P: Ports, T>(
    service: &Service<P>,
    key: RowKey,
    as_row: impl FnOnce(Row) -> Option<T>,
) -> Result<Option<T>, Failure> {
    Ok(service.ports().index().get(&key).await?.and_then(as_row))
}

pub(crate) async fn upload<P: Ports>(
    service: &Service<P>,
    id: &UploadId,
) -> Result<Option<UploadRow>, Failure> {
    get(service, RowKey::Upload(*id), Row::upload).await
}

pub(crate) async fn file<P: Ports>(service: &Service<P>, id: &FileId) -> Result<Option<FileRow>, Failure> {
    get(service, RowKey::File(*id), Row::file).await
}

pub(crate) async fn blob<P: Ports>(service: &Service<P>, id: &BlobId) -> Result<Option<BlobRow>, Failure> {
    get(service, RowKey::Blob(*id), Row::blob).await
}

pub(crate) async fn list<P: Ports>(
    service: &Service<P>,
    tenant: &Tenant,
    place: &ListPlace,
) -> Result<Option<ListRow>, Failure> {
    get(service, RowKey::List(tenant.clone(), place.clone()), Row::list).await
}

/// Returns the row of a quota, or an empty one if nothing was ever counted.
pub(crate) async fn quota<P: Ports>(
    service: &Service<P>,
    tenant: &Tenant,
    owner: Option<&OwnerId>,
) -> Result<QuotaRow, Failure> {
    let row = get(service, RowKey::Quota(tenant.clone(), owner.cloned()), Row::quota).await?;
    Ok(row.unwrap_or_else(|| QuotaRow::empty(tenant.clone(), owner.cloned())))
}

//! The quotas of a tenant and an owner, which change in the commits of what they count.

use std::collections::BTreeMap;

use credlink_core::file::OwnerId;
use credlink_core::file_record::FileRecord;
use credlink_core::row::{FileRow, QuotaRow, Row, RowKey, UploadRow};
use credlink_core::rules::quota::{self, Limits, QuotaError, ReserveError};
use credlink_core::rules::rate;
use credlink_core::tenant::Tenant;
use futures_util::future::try_join_all;

use credlink_ports::{Failure, FailureKind, Index as _, Ports};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::files::Files;
use crate::rows;

/// Returns the rows of a tenant's quota and of an owner's, if there is one, after `step`.
async fn after<P: Ports>(
    service: &Service<P>,
    tenant: &Tenant,
    owner: Option<&OwnerId>,
    step: impl Fn(&QuotaRow) -> Result<QuotaRow, QuotaError>,
) -> Result<Vec<Row>, Failure> {
    let mut after = Vec::new();
    for whose in [Some(None), owner.map(Some)].into_iter().flatten() {
        let row = rows::quota(service, tenant, whose).await?;
        after.push(Row::Quota(step(&row).map_err(|error| wrong(service, &error))?));
    }
    Ok(after)
}

/// Returns the failure of a quota that does not add up.
fn wrong<P: Ports>(service: &Service<P>, error: &QuotaError) -> Failure {
    let provider = service.ports().index().name();
    Failure { provider, kind: FailureKind::Damaged, message: error.to_string() }
}

/// Counts a change to a file, which costs as much as an upload, as one of the uploads that its owner may announce in a
/// minute, or its tenant if it has no owner.
///
/// # Errors
/// Fails with 429 if the owner does so too often. Also fails if the index fails.
pub(crate) async fn count_as_announcement<P: Ports, Q>(
    files: &Files<Q>,
    service: &Service<P>,
    file: &FileRecord,
) -> Result<(), Error> {
    for attempt in 0..MAX_ATTEMPTS {
        let row = rows::quota(service, &file.tenant, file.owner.as_ref()).await?;
        let next = rate::admit(&row, files.settings.announcements_per_minute, service.now())?;
        let mut changes = Changes::default();
        changes.put(Row::Quota(QuotaRow { version: row.version + 1, ..next }));
        if changes.commit(service).await? {
            return Ok(());
        }
        files.give_way(attempt).await;
    }
    Err(contended())
}

/// Returns the quotas after room for an upload of `size` bytes was reserved. It counts as one of the `per_minute` that its
/// owner may announce in a minute, or its tenant if it has no owner.
///
/// # Errors
/// Fails with 429 if the owner announces too often, and with 507 if there is no room. Also fails if the index fails.
pub(crate) async fn reserved<P: Ports>(
    service: &Service<P>,
    (tenant, tenant_limits): (&Tenant, Limits),
    (owner, owner_limits): (Option<&OwnerId>, Limits),
    size: u64,
    per_minute: u32,
) -> Result<Vec<Row>, Error> {
    let mut after = Vec::new();
    let each = [Some((None, tenant_limits)), owner.map(|owner| (Some(owner), owner_limits))];
    for (whose, limits) in each.into_iter().flatten() {
        let mut row = rows::quota(service, tenant, whose).await?;
        // The rate is that of the owner, or of the tenant if there is no owner.
        if whose.is_some() == owner.is_some() {
            row = rate::admit(&row, per_minute, service.now())?;
        }
        after.push(Row::Quota(quota::reserve(&row, limits, size).map_err(|error| match error {
            ReserveError::Exceeded(exceeded) => Error::Problem(exceeded.problem()),
            ReserveError::Wrong(error) => Error::Failure(wrong(service, &error)),
        })?));
    }
    Ok(after)
}

/// Returns `quotas`, or `None` if they do not add up because another commit was first. That is so if one of the `counted`
/// rows no longer has the version with which it was read, because the quotas then no longer count it.
async fn unless_lost<P: Ports>(
    service: &Service<P>,
    quotas: Result<Vec<Row>, Failure>,
    counted: Vec<(RowKey, u64)>,
) -> Result<Option<Vec<Row>>, Failure> {
    let failure = match quotas {
        Err(failure) if failure.kind == FailureKind::Damaged => failure,
        quotas => return quotas.map(Some),
    };
    for (key, version) in counted {
        let now = service.ports().index().get(&key).await?;
        if now.is_some_and(|now| now.version() != version) {
            return Ok(None);
        }
    }
    Err(failure)
}

/// Returns the quotas after an upload became a file, or `None` if its row has changed.
pub(crate) async fn settled<P: Ports>(
    service: &Service<P>,
    upload: &UploadRow,
) -> Result<Option<Vec<Row>>, Failure> {
    let (tenant, owner) = (&upload.tenant, upload.owner.as_ref());
    let settled = after(service, tenant, owner, |row| quota::settle(row, upload.size)).await;
    unless_lost(service, settled, vec![(RowKey::Upload(upload.id), upload.version)]).await
}

/// Returns the quotas after an upload ended without a file, or `None` if its row has changed.
pub(crate) async fn released<P: Ports>(
    service: &Service<P>,
    upload: &UploadRow,
) -> Result<Option<Vec<Row>>, Failure> {
    let (tenant, owner) = (&upload.tenant, upload.owner.as_ref());
    let released = after(service, tenant, owner, |row| quota::release(row, upload.size)).await;
    unless_lost(service, released, vec![(RowKey::Upload(upload.id), upload.version)]).await
}

/// Returns the quotas after these files were deleted, or `None` if a row of them has changed.
pub(crate) async fn freed<P: Ports>(
    service: &Service<P>,
    files: &[FileRow],
) -> Result<Option<Vec<Row>>, Failure> {
    let mut sums: BTreeMap<(&Tenant, Option<&OwnerId>), (u64, u64)> = BTreeMap::new();
    for file in files {
        for owner in [Some(None), file.owner.as_ref().map(Some)].into_iter().flatten() {
            let (count, bytes) = sums.entry((&file.tenant, owner)).or_default();
            *count += 1;
            *bytes = bytes.saturating_add(file.bytes);
        }
    }
    let freed = sums.into_iter().map(async |((tenant, owner), (count, bytes))| {
        let row = rows::quota(service, tenant, owner).await?;
        let freed = quota::free(&row, count, bytes).map_err(|error| wrong(service, &error))?;
        Ok::<_, Failure>(Row::Quota(freed))
    });
    let counted = files.iter().map(|file| (RowKey::File(file.id), file.version)).collect();
    unless_lost(service, try_join_all(freed).await, counted).await
}

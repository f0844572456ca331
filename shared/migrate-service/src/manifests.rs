//! Manifests that were stored for themselves, in this process.

use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::problem::ProblemKind;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::row::{ManifestRow, Row, State};
use credlink_core::time::Timestamp;
use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::target::{ManifestDraft, Target};
use credlink_ports::migration::{ExistingState, Imported, Verdict, Withdrawal};
use credlink_ports::{Event, Events as _, Failure, Ports};
use credlink_service::error::Error;
use credlink_service::front::Arrival;
use credlink_service::holds::{drop_hold, write_hold};
use credlink_service::removal::finish_manifest;
use credlink_service::rows::claim;
use credlink_service::service::Service;
use credlink_service::store::store_manifest;
use credlink_service::visibility::change_visibility;

use crate::history::first_stored;

/// Looks up a manifest that was stored for itself.
pub(super) async fn find_manifest<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
) -> Result<ExistingState, Failure> {
    Ok(match service.manifest_row(manifest).await? {
        Some(ManifestRow { state: State::Live, standalone: true, .. }) => ExistingState::Live(None),
        Some(ManifestRow { state: State::Deleting(at) | State::Deleted(at), .. }) => {
            ExistingState::Deleted(at)
        }
        Some(_) | None => ExistingState::Absent,
    })
}

/// Stores a manifest for itself.
pub(super) async fn import_manifest<P: Ports>(
    service: &Service<P>,
    manifest_draft: &ManifestDraft,
) -> Result<Imported, Failure> {
    let refused = |kind: ProblemKind, detail| Ok(Imported::Refused { kind: kind.slug().to_owned(), detail });
    let Some(id) = manifest_draft.manifest.id() else {
        return refused(ProblemKind::InvalidManifest, "only a C2PA manifest has an id".to_owned());
    };
    let manifest = ManifestKey::new(&manifest_draft.tenant, id);
    if let ExistingState::Deleted(at) = find_manifest(service, &manifest).await?
        && manifest_draft.restores != Some(at)
    {
        return Ok(Imported::Deleted(at));
    }
    let stored = async {
        if manifest_draft.visibility == Visibility::Private {
            hide(service, &manifest, manifest_draft.manifest.sha256()).await?;
        }
        store_manifest(
            service,
            &manifest_draft.manifest,
            &manifest_draft.tenant,
            manifest_draft.visibility,
            Arrival::Earlier,
        )
        .await
    };
    match stored.await {
        Ok(_) => {
            let object =
                first_stored(&ObjectKey::Manifest(manifest.clone()), manifest_draft.manifest.bytes());
            let object = StoredObject { private: manifest_draft.visibility == Visibility::Private, ..object };
            Ok(Imported::Stored(CopiedItem::beside_proofs(Target::Manifest(manifest), vec![object])))
        }
        Err(Error::Failure(failure)) => Err(failure),
        Err(Error::Problem(problem)) => refused(problem.kind, problem.detail),
    }
}

/// Makes a manifest private that is private at the source and public here.
pub(super) async fn hide<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    sha256: &Digest,
) -> Result<(), Error> {
    let row = service.manifest_row(manifest).await?;
    let is_public = |row: &ManifestRow| {
        row.state == State::Live && row.visibility == Visibility::Public && row.sha256 == *sha256
    };
    if row.as_ref().is_some_and(is_public) {
        change_visibility(service, manifest, Visibility::Private).await?;
    }
    Ok(())
}

/// Makes a manifest with this content private, also if an earlier change was interrupted. Returns `false` if there is
/// none.
pub(super) async fn make_private<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    sha256: &Digest,
) -> Result<bool, Error> {
    let row = service.manifest_row(manifest).await?;
    let is_here = row.is_some_and(|row| row.state == State::Live && row.sha256 == *sha256);
    if is_here {
        change_visibility(service, manifest, Visibility::Private).await?;
    }
    Ok(is_here)
}

/// Checks the row of a manifest that was stored for itself. Returns a verdict if it is wrong.
pub(super) async fn check_manifest<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
) -> Result<Option<Verdict>, Failure> {
    let id = &manifest.id;
    Ok(match service.manifest_row(manifest).await? {
        None => Some(Verdict::Missing(format!("the index has no manifest {id}"))),
        Some(ManifestRow { state: State::Deleting(at) | State::Deleted(at), .. }) => {
            Some(Verdict::Changed(format!("{id} was deleted on {at}")))
        }
        Some(ManifestRow { standalone: false, .. }) => {
            Some(Verdict::Missing(format!("{id} is there for proofs alone, and goes with the last of them")))
        }
        Some(_) => None,
    })
}

/// Removes the hold of a manifest that was stored for itself. The manifest is deleted unless proofs refer to it.
/// Returns `None` if another writer was faster and the caller must look again.
pub(super) async fn withdraw_manifest<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    copy: &CopiedItem,
    at: Timestamp,
) -> Result<Option<Withdrawal>, Failure> {
    let Some(row) = service.manifest_row(manifest).await? else { return Ok(Some(Withdrawal::Absent)) };
    let ours = copy.objects.first().is_some_and(|object| object.content == row.sha256);
    match row.state {
        // The tenant has stored the manifest as well, perhaps after a withdrawal had already dropped the hold.
        State::Live if ours && row.standalone && !row.imported => {
            write_hold(service, manifest, row.generation).await?;
            return Ok(Some(Withdrawal::Touched));
        }
        State::Live if ours && row.standalone => {
            let state = if row.holders == 0 { State::Deleting(at) } else { State::Live };
            let next = ManifestRow { standalone: false, imported: false, ..row.in_state(state) };
            // The hold goes first: left in the store, it would make the manifest stand by itself again.
            drop_hold(service, manifest, row.generation).await?;
            if !claim(service, Row::Manifest(next.clone()), Some(row.version)).await? {
                return Ok(None);
            }
            finish_manifest(service, &next).await?;
            service.ports().events().record(Event::Deleted);
        }
        // Only proofs hold the manifest, and a withdrawal can achieve no more than that. It leaves no instant behind.
        State::Live if ours => {}
        State::Deleting(deleted) if deleted == at => finish_manifest(service, &row).await?,
        State::Deleted(deleted) if deleted == at => {}
        State::Live | State::Deleting(_) | State::Deleted(_) => return Ok(Some(Withdrawal::Touched)),
    }
    Ok(Some(Withdrawal::Deleted(at)))
}

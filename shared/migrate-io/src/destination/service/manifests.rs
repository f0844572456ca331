//! Manifests that were stored for themselves, at hand.

use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::http::problem::Kind;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::row::{ManifestRow, Row, State};
use credlink_core::time::Timestamp;

use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::target::{ManifestDraft, Target};
use credlink_ports::migration::{Imported, Standing, Verdict, Withdrawal};
use credlink_ports::{Event, Events as _, Failure, Ports};
use credlink_service::error::Error;
use credlink_service::front::Arrival;
use credlink_service::holds::{drop_hold, write_hold};
use credlink_service::removal::finish_manifest;
use credlink_service::rows::claim;
use credlink_service::service::Service;
use credlink_service::store::store_manifest;
use credlink_service::visibility::change_visibility;

use super::history::first_stored;
use crate::destination::copied;

/// A manifest is stored for itself, or not.
pub(super) async fn find_manifest<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
) -> Result<Standing, Failure> {
    Ok(match service.manifest_row(manifest).await? {
        Some(ManifestRow { state: State::Live, standalone: true, .. }) => Standing::Live(None),
        Some(ManifestRow { state: State::Deleting(at) | State::Deleted(at), .. }) => Standing::Deleted(at),
        Some(_) | None => Standing::Absent,
    })
}

/// Stores a manifest for itself.
pub(super) async fn import_manifest<P: Ports>(
    service: &Service<P>,
    manifest_draft: &ManifestDraft,
) -> Result<Imported, Failure> {
    let refused = |kind: Kind, detail| Ok(Imported::Refused { kind: kind.slug().to_owned(), detail });
    let Some(id) = manifest_draft.manifest.id() else {
        return refused(Kind::InvalidManifest, "only a C2PA manifest has an id".to_owned());
    };
    let manifest = ManifestKey::new(&manifest_draft.tenant, id);
    if let Standing::Deleted(at) = find_manifest(service, &manifest).await?
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
            Ok(Imported::Stored(copied(Target::Manifest(manifest), vec![object])))
        }
        Err(Error::Failure(failure)) => Err(failure),
        Err(Error::Problem(problem)) => refused(problem.kind, problem.detail),
    }
}

/// Withdraws a manifest whose source has it as private, where it is public here.
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

/// Has a manifest with this content be private here, also where a withdrawal was cut off. Returns `false` where there is none.
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

/// What is wrong with the row of a manifest that was stored for itself, if anything is.
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

/// Has a manifest no longer stored for itself: it goes, or stays for the proofs that hold it. `None`: look again.
pub(super) async fn withdraw_manifest<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    copy: &CopiedItem,
    at: Timestamp,
) -> Result<Option<Withdrawal>, Failure> {
    let Some(row) = service.manifest_row(manifest).await? else { return Ok(Some(Withdrawal::Absent)) };
    let ours = copy.objects.first().is_some_and(|object| object.content == row.sha256);
    match row.state {
        // Its tenant has stored it, too, and maybe while a withdrawal had dropped the hold already.
        State::Live if ours && row.standalone && !row.imported => {
            write_hold(service, manifest, row.generation).await?;
            return Ok(Some(Withdrawal::Touched));
        }
        State::Live if ours && row.standalone => {
            let state = if row.holders == 0 { State::Deleting(at) } else { State::Live };
            let next = ManifestRow { standalone: false, imported: false, ..row.in_state(state) };
            // First: what says so in the store would make it stand by itself again.
            drop_hold(service, manifest, row.generation).await?;
            if !claim(service, Row::Manifest(next.clone()), Some(row.version)).await? {
                return Ok(None);
            }
            finish_manifest(service, &next).await?;
            service.ports().events().record(Event::Deleted);
        }
        // It is there for proofs alone, which is all that a withdrawal can do; whoever did it leaves no instant.
        State::Live if ours => {}
        State::Deleting(deleted) if deleted == at => finish_manifest(service, &row).await?,
        State::Deleted(deleted) if deleted == at => {}
        State::Live | State::Deleting(_) | State::Deleted(_) => return Ok(Some(Withdrawal::Touched)),
    }
    Ok(Some(Withdrawal::Deleted(at)))
}

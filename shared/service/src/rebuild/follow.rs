//! Makes the rows of one object follow it.

use credlink_core::legacy::LegacyId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, MediaKey, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{AliasRow, ManifestRow, ProofRow, Row, State};
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Objects as _, Ports};

use crate::aliases::agree::follow_alias;
use crate::aliases::is_another_name;
use crate::error::{Error, contended};
use crate::file_rows;
use crate::reconcile::hold::follow_hold;
use crate::reconcile::{Reconciled, hold_earlier, reconcile};
use crate::rows::claim;
use crate::service::{MAX_ATTEMPTS, Service};

/// The outcome for the row of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// The row agrees with the object, now or already before.
    Right,
    /// The object is not CredLink's.
    Foreign,
    /// A crash left the object without a row.
    Leftover,
    /// The row and the objects contradict each other.
    Lost(String),
    /// The object could not be read.
    Unread(String),
}

/// The state of the rebuild when an object is examined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// `true` if the index is at least as new as the store, so that its rows of legacy IDs win.
    pub(super) trusts_rows: bool,
    /// `true` if everything was readable so far.
    pub(super) is_whole: bool,
    /// `true` if the record of a file without a row gets one: the index is older than the objects, or was lost.
    pub(super) adopts: bool,
    /// `true` if rows are counted and not written. Then a manifest's row does not say who holds it.
    pub(super) counts: bool,
}

/// Makes the row of the object under `key` follow it.
pub(super) async fn follow<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    known: Known,
) -> Result<Followed, Error> {
    match key {
        ObjectKey::Record(id) => {
            let followed = of(reconcile(service, id).await?);
            name(service, id).await?;
            Ok(followed)
        }
        ObjectKey::Revision(id, revision) => Ok(of(hold_earlier(service, id, *revision).await?)),
        ObjectKey::Hold(manifest, generation) => Ok(of(follow_hold(service, manifest, *generation).await?)),
        ObjectKey::Manifest(key) => manifest(service, key, known).await,
        ObjectKey::Alias(id) => {
            // A request was cut off after it wrote the row, and before it wrote the object.
            if known.trusts_rows && service.alias_row(id).await?.is_some() {
                service.current(key).await?;
                return Ok(Followed::Right);
            }
            follow_alias(service, id, false).await?;
            Ok(Followed::Right)
        }
        ObjectKey::Media(MediaKey::File(id)) => {
            Ok(match file_rows::follow_record(service, id, known.adopts).await? {
                file_rows::Followed::Right | file_rows::Followed::Changed => Followed::Right,
                file_rows::Followed::Leftover => Followed::Leftover,
                file_rows::Followed::Lost(what) => Followed::Lost(what),
            })
        }
        ObjectKey::Front(_) | ObjectKey::Removed(..) | ObjectKey::Identity | ObjectKey::Media(_) => {
            Ok(Followed::Right)
        }
    }
}

fn of(reconciled: Reconciled) -> Followed {
    match reconciled {
        Reconciled::Right | Reconciled::Changed => Followed::Right,
        Reconciled::Orphan => Followed::Leftover,
        Reconciled::Risen => {
            let what =
                "the index has the proof as deleted, and its record is there: it was put back from elsewhere";
            Followed::Lost(what.to_owned())
        }
        Reconciled::Broken(why) => Followed::Lost(why),
    }
}

/// Binds the legacy ID that a proof's first record or its tombstone names, unless the ID has an object of its own that
/// says where it leads.
async fn name<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<(), Error> {
    let Some(ProofRow { legacy: Some(legacy), tenant, .. }) = service.proof_row(id).await? else {
        return Ok(());
    };
    if !is_another_name(&legacy, id) || is_known(service, &legacy).await? {
        return Ok(());
    }
    let row = AliasRow { id: legacy, version: 1, proof: *id, tenant, withdrawn: None };
    // If the commit is lost, another process has bound the ID.
    claim(service, Row::Alias(row), None).await?;
    Ok(())
}

async fn is_known<P: Ports>(service: &Service<P>, legacy: &LegacyId) -> Result<bool, Error> {
    if service.alias_row(legacy).await?.is_some() {
        return Ok(true);
    }
    Ok(service.ports.objects().head(&ObjectKey::Alias(legacy.clone())).await?.is_some())
}

/// Makes a manifest's row follow its object, once everything that names manifests was examined.
async fn manifest<P: Ports>(
    service: &Service<P>,
    manifest: &ManifestKey,
    known: Known,
) -> Result<Followed, Error> {
    let key = ObjectKey::Manifest(manifest.clone());
    for _ in 0..MAX_ATTEMPTS {
        let Some(head) = service.ports.objects().head(&key).await? else { return Ok(Followed::Right) };
        let facts = Facts::read(&head.attributes).map_err(|error| service.damaged(&key, &error))?;
        let row = service.manifest_row(manifest).await?;
        let expected = row.as_ref().map(|row| row.version);
        let step = if facts.tombstone {
            let Some(current) = service.current(&key).await? else { continue };
            let tombstone = Tombstone::parse(&current.verified.content());
            by_tombstone(&tombstone.map_err(|error| service.damaged(&key, &error))?, row)
        } else {
            by_content(&facts, row, known.is_whole, service)
        };
        match step {
            Step::Done(_) if known.counts => return Ok(Followed::Right),
            Step::Done(followed) => return Ok(followed),
            Step::Write(row) => {
                if claim(service, Row::Manifest(*row), expected).await? {
                    return Ok(Followed::Right);
                }
            }
        }
    }
    Err(contended())
}

enum Step {
    Done(Followed),
    Write(Box<ManifestRow>),
}

fn by_tombstone(tombstone: &Tombstone, row: Option<ManifestRow>) -> Step {
    let kept = tombstone.row.as_ref().and_then(|row| row.as_ref().clone().manifest());
    let Some(row) = row else {
        return match kept {
            Some(kept) => Step::Write(Box::new(ManifestRow { version: 1, ..kept })),
            // A tombstone from a version in which it kept no row; nothing more is known.
            None => Step::Done(Followed::Right),
        };
    };
    let is_newer = match row.state {
        State::Live => tombstone.last >= row.generation,
        // Cleanup finishes the deletion.
        State::Deleting(_) | State::Deleted(_) => tombstone.last > row.generation,
    };
    if row.state == State::Live && (!is_newer || row.holders > 0) {
        return Step::Done(Followed::Lost("the index has a live manifest that is deleted".to_owned()));
    }
    if !is_newer {
        return Step::Done(Followed::Right);
    }
    let deleted = ManifestRow { standalone: false, ..row.in_state(State::Deleted(tombstone.deleted)) };
    let next = ManifestRow { version: row.version + 1, ..kept.unwrap_or(deleted) };
    Step::Write(Box::new(next))
}

fn by_content<P: Ports>(
    facts: &Facts,
    row: Option<ManifestRow>,
    is_whole: bool,
    service: &Service<P>,
) -> Step {
    let Some(row) = row else { return Step::Done(Followed::Leftover) };
    let lost = |what: &str| Step::Done(Followed::Lost(what.to_owned()));
    match row.state {
        State::Live if row.sha256 != facts.sha256 => {
            lost("the manifest differs from the one that the index records")
        }
        // A change of the manifest's visibility was cut off; cleanup finishes it.
        State::Live if facts.generation < row.generation && facts.visibility != row.visibility => {
            Step::Done(Followed::Right)
        }
        State::Live if facts.generation < row.generation => {
            lost("the manifest is of an earlier life than the index says")
        }
        State::Live => {
            // The manifest was deleted and stored again, and its present holders already held it before. A hold of this
            // life has already raised the generation.
            let is_of_a_later_life = row.generation < facts.generation;
            let standalone = row.standalone && !is_of_a_later_life;
            let next = ManifestRow {
                generation: facts.generation,
                visibility: facts.visibility,
                standalone,
                ..row.in_state(State::Live)
            };
            if row.holders == 0 && !standalone && is_whole {
                // This rebuild has released its last holder, because its deletion was cut off.
                let state = State::Deleting(service.now());
                return Step::Write(Box::new(ManifestRow { state, ..next }));
            }
            if is_of_a_later_life {
                return Step::Write(Box::new(next));
            }
            Step::Done(Followed::Right)
        }
        State::Deleting(_) => Step::Done(Followed::Right),
        State::Deleted(_) if facts.generation > row.generation || row.void => Step::Done(Followed::Leftover),
        State::Deleted(_) => {
            lost("the index has the manifest as deleted, and it is there: it was put back from elsewhere")
        }
    }
}

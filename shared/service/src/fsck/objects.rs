//! Checks an object against the rows, and against other objects.

use credlink_core::front::Front;
use credlink_core::identity::Mark;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::note::{AliasNote, HoldNote};
use credlink_core::object::{Facts, Head, MediaKey, ObjectKey, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::State;
use credlink_core::rules::consistency::{
    ObjectVerdict, ProofObject, judge_manifest, judge_record, judge_revision,
};
use credlink_core::tombstone::Tombstone;

use credlink_ports::{Failure, FailureKind, Lag, Lagging, Listed, Objects as _, Ports, Replicas as _};

use super::{Look, Severity, checked, files, verified};
use crate::service::Service;

/// Checks one object.
///
/// The newest copy is checked. Without a row, nothing says which of two copies counts if both were written during an
/// outage, and the primary's is taken for the newest. Readers ask the index instead while a provider is known to be
/// behind, which it is until its last repair is done. So if the newest copy breaks a guarantee and readers get another
/// one that breaks none, the other provider is merely behind.
pub(super) async fn look<P: Ports>(service: &Service<P>, listed: &Listed) -> Result<Look, Failure> {
    let mut look = Look::default();
    let Ok(key) = listed.key.parse::<ObjectKey>() else {
        look.add(Severity::Foreign, &listed.key, "this is not an object of CredLink; it is left alone");
        return Ok(look);
    };
    if let ObjectKey::Media(media @ MediaKey::Upload(..)) = &key {
        files::quarantined(service, media, &mut look).await?;
        return Ok(look);
    }
    let Some(found) = verified(service, &key, &mut look).await? else { return Ok(look) };
    let mut newest = Look::default();
    check(service, &key, &found, &mut newest).await?;
    let have_copies_differed = look.findings.iter().any(|finding| finding.severity == Severity::Behind);
    if newest.is_broken() && have_copies_differed {
        let mut read = Look::default();
        // A read that fails says nothing against the first finding.
        if let Ok(Some(object)) = service.ports.objects().get(&key).await
            && let Some(served) = checked(&key, object, &mut read)
        {
            check(service, &key, &served, &mut read).await?;
            if !read.is_broken() {
                newest = read;
            }
        }
    }
    look.join(newest);
    Ok(look)
}

/// Checks one copy of an object.
async fn check<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    found: &Verified,
    look: &mut Look,
) -> Result<(), Failure> {
    if found.facts().tombstone
        && let Err(error) = Tombstone::parse(&found.content())
    {
        look.broken(key, error);
        return Ok(());
    }
    match key {
        ObjectKey::Record(id) => record(service, key, id, found, look).await?,
        ObjectKey::Revision(id, revision) => {
            match Record::parse(&found.content()) {
                Ok(record) if record.revision == *revision => {
                    let row = service.proof_row(id).await?;
                    judged(look, key, judge_revision(*revision, row.as_ref()));
                    named(service, key, &record, look).await?;
                }
                Ok(record) => {
                    look.broken(key, format!("the record says that it is revision {}", record.revision));
                }
                Err(error) => look.broken(key, error.to_string()),
            };
        }
        ObjectKey::Manifest(owned) => manifest(service, key, owned, found, look).await?,
        ObjectKey::Front(id) => match Front::parse(&found.content()) {
            Err(error) => look.broken(key, error.to_string()),
            Ok(front) if front.manifest_id != *id => {
                look.broken(key, format!("it says that it is the front of {}", front.manifest_id));
            }
            Ok(_) => {}
        },
        ObjectKey::Alias(id) => match AliasNote::parse(&found.content()) {
            Err(error) => look.broken(key, error.to_string()),
            Ok(_) if service.alias_row(id).await?.is_none() => {
                look.leftover(key, "the index does not have the legacy id yet; its row will be written");
            }
            // The finding about the row says how they differ.
            Ok(_) => {}
        },
        ObjectKey::Hold(manifest, generation) => {
            if let Err(error) = HoldNote::parse(&found.content()) {
                look.broken(key, error.to_string());
            } else {
                hold(service, key, manifest, *generation, look).await?;
            }
        }
        ObjectKey::Identity => {
            if let Err(error) = Mark::parse(&found.content()) {
                look.broken(key, error.to_string());
            }
        }
        ObjectKey::Media(media) => files::object(service, media, found, look).await?,
        // A removed object, kept as it was.
        ObjectKey::Removed(..) => {}
    }
    Ok(())
}

async fn record<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    id: &ProofId,
    found: &Verified,
    look: &mut Look,
) -> Result<(), Failure> {
    let row = service.proof_row(id).await?;
    let row = row.as_ref();
    if found.facts().tombstone {
        judged(look, key, judge_record(ProofObject::Tombstone, row));
        if row.is_some_and(|row| matches!(row.state, State::Deleted(_)) && row.void != found.facts().void) {
            look.leftover(key, "tombstone and row disagree on whether anybody was told of what was deleted");
        }
        return Ok(());
    }
    let record = match Record::parse(&found.content()) {
        Ok(record) => record,
        Err(error) => {
            look.broken(key, error.to_string());
            return Ok(());
        }
    };
    let verdict = judge_record(ProofObject::Record(record.revision), row);
    judged(look, key, verdict);
    if verdict == ObjectVerdict::Right && row.is_some_and(|row| row.record_sha256 != found.facts().sha256) {
        look.broken(key, "the record differs from the one that the index records");
    }
    // No caller was told of an orphan, and its manifest may be gone.
    if matches!(verdict, ObjectVerdict::Right | ObjectVerdict::Ahead) {
        named(service, key, &record, look).await?;
    }
    Ok(())
}

/// Checks that the manifest that a readable record names is stored.
async fn named<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    record: &Record,
    look: &mut Look,
) -> Result<(), Failure> {
    let Some(id) = &record.manifest.id else { return Ok(()) };
    let is_live = service.proof_row(&record.id).await?.is_some_and(|row| {
        row.state == State::Live && (row.first_revision..=row.revision).contains(&record.revision)
    });
    if !is_live {
        return Ok(());
    }
    let manifest = ObjectKey::Manifest(ManifestKey::new(&record.tenant, id));
    let copies = match service.ports.objects().copies_by_head(&manifest).await {
        // The check of the manifest itself reports the damage.
        Err(failure) if failure.kind == FailureKind::Damaged => return Ok(()),
        copies => copies?,
    };
    let facts = |head: Option<Head>| {
        head.and_then(|head| Facts::read(&head.attributes).ok()).filter(|facts| !facts.tombstone)
    };
    let is_named = |facts: &Facts| facts.sha256 == record.manifest.sha256;
    let mut stands = facts(copies.newest);
    if !copies.lagging.is_empty() && !stands.as_ref().is_some_and(is_named) {
        // The copy that readers get counts: see `look`.
        let read = service.ports.objects().head(&manifest).await.ok().and_then(facts);
        stands = read.filter(is_named).or(stands);
    }
    match stands {
        None => look.broken(key, format!("it names the manifest {id}, which is not stored")),
        Some(facts) if facts.sha256 != record.manifest.sha256 => {
            look.broken(key, format!("it names another content of the manifest {id} than is stored"));
        }
        Some(_) => {}
    }
    Ok(())
}

async fn manifest<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    owned: &ManifestKey,
    found: &Verified,
    look: &mut Look,
) -> Result<(), Failure> {
    let (row, facts) = (service.manifest_row(owned).await?, found.facts());
    if facts.tenant != owned.tenant {
        look.broken(key, format!("it is a manifest of the tenant `{}`", facts.tenant));
        return Ok(());
    }
    let generation = (!facts.tombstone).then_some(facts.generation);
    let verdict = judge_manifest(generation, row.as_ref());
    judged(look, key, verdict);
    if verdict == ObjectVerdict::Right
        && let (Some(generation), Some(row)) = (generation, row)
    {
        if row.sha256 != facts.sha256 || row.length != facts.length {
            look.broken(key, "the manifest differs from the one that the index records");
        } else if generation < row.generation && row.visibility != facts.visibility {
            look.leftover(key, "a change of its visibility was interrupted; cleanup completes it");
        } else if row.generation != generation {
            let known = row.generation;
            look.broken(
                key,
                format!(
                    "it is of generation {generation}, and the index has {known}: run `credlink rebuild`"
                ),
            );
        }
    }
    Ok(())
}

async fn hold<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    manifest: &ManifestKey,
    generation: u32,
    look: &mut Look,
) -> Result<(), Failure> {
    match service.manifest_row(manifest).await? {
        Some(row) if row.state == State::Live && row.standalone && row.generation == generation => {}
        Some(row) if matches!(row.state, State::Deleting(_)) => {}
        Some(_) => {
            look.leftover(key, "its manifest is not stored for itself, or was deleted and stored again since")
        }
        None => look.leftover(
            key,
            "the index does not have its manifest; if the manifest exists, its row will be written",
        ),
    }
    Ok(())
}

fn judged(look: &mut Look, key: &ObjectKey, verdict: ObjectVerdict) {
    match verdict {
        ObjectVerdict::Right => {}
        ObjectVerdict::Orphan => look.leftover(
            key,
            "it has no row: a store was interrupted before it wrote the row, or the index is older",
        ),
        ObjectVerdict::Ahead => look
            .leftover(key, "its row is out of date: a replacement was interrupted before it updated the row"),
        // The finding about the row reports it.
        ObjectVerdict::Unfinished => {}
        ObjectVerdict::Broken(why) => look.broken(key, why),
    }
}

/// Describes how a provider's copy falls short.
pub(super) fn behind(Lagging { replica, name, lag }: Lagging) -> String {
    let what = match lag {
        Lag::Missing => "is missing",
        Lag::Stale => "is older than the other one",
        Lag::Damaged => "is damaged",
        Lag::Differing => "differs from the other one",
    };
    format!("the copy at the {replica}, {name}, {what}")
}

//! Verifies that a copy is present and correct.

use credlink_core::bounds::{MAX_C2PA_MANIFEST_BYTES, MAX_RECORD_BYTES};
use credlink_core::encoding::Coding;
use credlink_core::encoding::decode;
use credlink_core::hash::Digest;
use credlink_core::object::{Facts, Object, ObjectKey, Verified};
use credlink_core::row::State;
use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{Depth, Verdict};
use credlink_ports::{Checksum, Checksummed, Failure, Objects as _, Ports};
use credlink_service::service::Service;

use crate::aliases::check_alias;
use crate::manifests::check_manifest;

/// The finding about one object.
enum Finding {
    Right(Depth),
    Wrong(Verdict),
}

/// Verifies a copy: its row, its legacy ID, and each of its objects. An alias is in the index alone.
pub(super) async fn verify<P: Ports<Objects: Checksummed>>(
    service: &Service<P>,
    copy: &CopiedItem,
    depth: Depth,
) -> Result<Verdict, Failure> {
    if let Some(verdict) = rows(service, copy).await? {
        return Ok(verdict);
    }
    let mut by = if copy.objects.is_empty() { Depth::Content } else { Depth::Checksum };
    for object in &copy.objects {
        match examine(service, object, depth).await? {
            Finding::Right(Depth::Checksum) => {}
            Finding::Right(Depth::Content) => by = Depth::Content,
            // The proof may have been replaced or deleted a moment ago, which its row tells.
            Finding::Wrong(verdict) => return Ok(rows(service, copy).await?.unwrap_or(verdict)),
        }
    }
    Ok(Verdict::Verified { by })
}

/// Checks the rows of a copy. Returns a verdict if they are wrong.
async fn rows<P: Ports>(service: &Service<P>, copy: &CopiedItem) -> Result<Option<Verdict>, Failure> {
    let id = match &copy.target {
        Target::Proof(id) => id,
        Target::Alias { id, proof } => {
            if let Some(verdict) = check_alias(service, id, proof).await? {
                return Ok(Some(verdict));
            }
            proof
        }
        Target::Manifest(id) => return check_manifest(service, id).await,
    };
    let Some(row) = service.proof_row(id).await? else {
        return Ok(Some(Verdict::Missing(format!("the index has no proof {id}"))));
    };
    if let State::Deleting(at) | State::Deleted(at) = row.state {
        return Ok(Some(Verdict::Changed(format!("{id} was deleted on {at}"))));
    }
    if copy.objects.first().is_some_and(|record| record.content != row.record_sha256) {
        return Ok(Some(Verdict::Changed(format!(
            "{id} was replaced, or deleted and stored again: it has the revision {} of {}",
            row.revision, row.created
        ))));
    }
    match &copy.legacy {
        Some(legacy) => check_alias(service, legacy, id).await,
        None => Ok(None),
    }
}

async fn examine<P: Ports<Objects: Checksummed>>(
    service: &Service<P>,
    expected: &StoredObject,
    depth: Depth,
) -> Result<Finding, Failure> {
    let Ok(key) = expected.key.parse::<ObjectKey>() else {
        return Ok(Finding::Wrong(Verdict::Missing(format!("{} is no key of an object", expected.key))));
    };
    let objects = service.ports().objects();
    // An equal checksum proves the object correct. An unequal one says nothing about the content: a manifest that was
    // deleted and stored again is stored in another form.
    if depth == Depth::Checksum
        && (expected.stored.is_some() || expected.crc64nvme.is_some())
        && let Some((head, Some(checksum))) = objects.head_with_checksum(&key).await?
        && is_equal(expected, checksum)
        && let Ok(facts) = Facts::read(&head.attributes)
        && facts.sha256 == expected.content
        && !facts.tombstone
    {
        if let Some(verdict) = Verdict::of_readers(expected, Some(facts.visibility)) {
            return Ok(Finding::Wrong(verdict));
        }
        return Ok(if head.attributes.content_encoding == expected.coding {
            Finding::Right(Depth::Checksum)
        } else {
            Finding::Wrong(other_coding(
                &key,
                head.attributes.content_encoding.as_deref(),
                expected.coding.as_deref(),
            ))
        });
    }
    let Some(object) = objects.get(&key).await? else {
        return Ok(Finding::Wrong(Verdict::Missing(format!("{key} is not there"))));
    };
    Ok(judge(&key, object, expected))
}

fn is_equal(expected: &StoredObject, checksum: Checksum) -> bool {
    match checksum {
        Checksum::Sha256(sha256) => expected.stored == Some(sha256),
        Checksum::Crc64Nvme(crc) => expected.crc64nvme == Some(crc),
    }
}

/// Judges an object by its content.
fn judge(key: &ObjectKey, object: Object, expected: &StoredObject) -> Finding {
    let coding = object.head.attributes.content_encoding.clone();
    let body = object.body.clone();
    let damage = match Verified::check(object) {
        Ok(found) if found.facts().tombstone => {
            return Finding::Wrong(Verdict::Missing(format!("{key} is deleted")));
        }
        Ok(found) if found.facts().sha256 == expected.content => {
            let verdict = Verdict::of_readers(expected, Some(found.facts().visibility));
            return verdict.map_or(Finding::Right(Depth::Content), Finding::Wrong);
        }
        Ok(found) => {
            format!("the content has the SHA-256 {}; {} was copied", found.facts().sha256, expected.content)
        }
        Err(damage) => damage.to_string(),
    };
    let limit = MAX_C2PA_MANIFEST_BYTES.max(MAX_RECORD_BYTES);
    let is_right =
        |coding| decode(&body, coding, limit).is_ok_and(|content| Digest::of(&content) == expected.content);
    let said = coding.as_deref();
    Finding::Wrong(match said {
        // The content is right under its stated coding, so another attribute of the object is damaged.
        None if is_right(None) => Verdict::Corrupted(format!("{key}: {damage}")),
        Some("gzip") if is_right(Some(Coding::Gzip)) => Verdict::Corrupted(format!("{key}: {damage}")),
        _ if is_right(None) => other_coding(key, said, None),
        _ if is_right(Some(Coding::Gzip)) => other_coding(key, said, Some("gzip")),
        _ => Verdict::Corrupted(format!("{key}: {damage}")),
    })
}

fn other_coding(key: &ObjectKey, said: Option<&str>, is: Option<&str>) -> Verdict {
    Verdict::EncodingDiffers(format!(
        "{key}: the content coding is said to be {}, and is {}; the bytes are right",
        said.unwrap_or("none"),
        is.unwrap_or("none")
    ))
}

#[cfg(test)]
mod tests;

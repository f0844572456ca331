//! Storing while the cloud storage is off: a legacy record under the proof's own name, which a later migration takes over.

use bytes::Bytes;
use credlink_core::access::{Caller, Visibility};
use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyRecord;
use credlink_core::manifest::ManifestType;
use credlink_core::row::ProofRow;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;
use data_encoding::BASE64;
use serde::Serialize;
use serde_json::value::RawValue;

use credlink_ports::{Event, Events as _, Failure, FailureKind, Ports};

use super::serve::off;
use super::{Found, Legacy};
use crate::error::{Error, contended};
use crate::service::Service;
use crate::store::Stored;

/// A legacy record, as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    proof_id: String,
    image_hash: String,
    manifest: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    timestamp: i64,
    expires_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
}

/// What a legacy record has no member for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    tags: &'a std::collections::BTreeMap<String, String>,
}

/// The legacy record of a draft that is stored at `now`: JSON that [`LegacyRecord::parse`] reads back.
///
/// # Errors
/// A manifest that JSON cannot hold.
pub fn legacy_json(draft: &Draft, now: Timestamp) -> Result<Bytes, serde_json::Error> {
    let bytes = draft.manifest.bytes();
    let manifest = match draft.manifest.kind() {
        ManifestType::C2pa => RawValue::from_string(serde_json::to_string(&BASE64.encode(bytes))?)?,
        ManifestType::Json => {
            let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom)?;
            // White space around it would be lost: a text keeps it.
            match RawValue::from_string(text.to_owned()) {
                Ok(raw) if raw.get().len() == text.len() => raw,
                Ok(_) | Err(_) => RawValue::from_string(serde_json::to_string(text)?)?,
            }
        }
    };
    let has_metadata = draft.media_type.is_some() || !draft.tags.is_empty();
    let written = Written {
        proof_id: draft.id().to_string(),
        image_hash: draft.media_hash.to_string(),
        manifest,
        signature: draft.signature.as_deref(),
        timestamp: now.milliseconds(),
        expires_at: now.plus_seconds(draft.lifetime).milliseconds(),
        metadata: has_metadata
            .then_some(Metadata { media_type: draft.media_type.as_deref(), tags: &draft.tags }),
    };
    serde_json::to_vec(&written).map(Bytes::from)
}

/// How often it is looked again after another writer was first.
const ATTEMPTS: usize = 3;

impl<P: Ports> Service<P> {
    /// Stores a proof in the legacy source.
    pub(crate) async fn store_alone(
        &self,
        legacy: &dyn Legacy,
        caller: &Caller,
        draft: &Draft,
    ) -> Result<Stored, Error> {
        if caller.tenant != *legacy.tenant() {
            return Err(off("only the tenant of the legacy store stores proofs").into());
        }
        if draft.visibility == Visibility::Private {
            return Err(off("no private proofs are stored").into());
        }
        if draft.origin.is_some() {
            return Err(off("nothing is taken over").into());
        }
        let id = draft.id();
        // A migration takes nothing over that was deleted here.
        if let Some((_, at)) = self.buried(&id).await {
            return Err(off(&format!("what was deleted, as this on {at}, is not stored again")).into());
        }
        for _ in 0..ATTEMPTS {
            if let Some(found) = self.legacy_record(legacy, &id).await? {
                self.ports.events().record(Event::Deduplicated);
                return Ok(self.stored_alone(&found, draft, true));
            }
            let json = legacy_json(draft, self.now()).map_err(|error| self.unwritable(legacy, &error))?;
            // What is answered is what will be read.
            let record = LegacyRecord::parse(&json).map_err(|error| self.unwritable(legacy, &error))?;
            let key = format!("{id}.json");
            if legacy.create(&key, json).await? {
                self.ports.events().record(Event::Stored);
                let found = Found { draft: record.draft(legacy.tenant().clone()), item: key };
                return Ok(self.stored_alone(&found, draft, false));
            }
        }
        Err(contended())
    }

    fn stored_alone(&self, found: &Found, draft: &Draft, deduplicated: bool) -> Stored {
        let record = found.draft.record(1, self.now());
        let row = ProofRow::publish(&record, Digest::of(&record.to_bytes()), None);
        Stored { identical: draft.is_identical_to(&row), row, deduplicated, body: None }
    }

    #[expect(clippy::unused_self, reason = "as `damaged`, which names the service's own provider")]
    fn unwritable(&self, legacy: &dyn Legacy, why: &dyn std::fmt::Display) -> Failure {
        let message = format!("a proof cannot be written as a legacy record: {why}");
        Failure { provider: legacy.name(), kind: FailureKind::Damaged, message }
    }
}

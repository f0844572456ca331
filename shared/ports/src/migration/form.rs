//! The JSON form of a ledger's content, which both ledgers share, and the checks on reading it.

use credlink_core::bounds::MAX_ITEM_KEY_BYTES;
use serde::{Deserialize, Serialize};

use crate::migration::ledger::{Entry, Job, LEDGER_VERSION};
use crate::{Failure, FailureKind};

/// Returns the JSON of a job or an entry.
pub fn json(provider: &'static str, value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| damaged(provider, error.to_string()))
}

/// Reads a job. The version is checked first, because it decides which other members are allowed.
pub fn job(provider: &'static str, json: &[u8]) -> Result<Job, Failure> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let malformed = |error: serde_json::Error| damaged(provider, format!("the job: {error}"));
    let Versioned { version } = serde_json::from_slice(json).map_err(malformed)?;
    if version != LEDGER_VERSION {
        let message = format!("the job has version {version}; this program reads {LEDGER_VERSION}");
        return Err(damaged(provider, message));
    }
    serde_json::from_slice(json).map_err(malformed)
}

/// Reads the entry that is stored under `key`.
pub fn entry(provider: &'static str, key: &str, version: u64, json: &[u8]) -> Result<Entry, Failure> {
    let malformed = |what: String| damaged(provider, format!("the entry of `{key}`: {what}"));
    let entry: Entry = serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
    if entry.key != key || entry.version != version {
        return Err(malformed(format!("it is version {} of `{}`", entry.version, entry.key)));
    }
    Ok(entry)
}

/// Refuses a string that cannot be the key of an item.
pub fn check_key(provider: &'static str, key: &str) -> Result<(), Failure> {
    if (1..=MAX_ITEM_KEY_BYTES).contains(&key.len()) {
        Ok(())
    } else {
        let allowed =
            format!("an item's key has 1 to {MAX_ITEM_KEY_BYTES} bytes; this one has {}", key.len());
        Err(damaged(provider, allowed))
    }
}

/// Returns the failure for stored data that is not one of CredLink's ledgers.
pub fn damaged(provider: &'static str, message: String) -> Failure {
    Failure { provider, kind: FailureKind::Damaged, message }
}

//! The JSON form of a message.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Message, Work};
use crate::bounds::{
    MAX_ITEM_KEY_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGE_ITEMS, MAX_MESSAGE_KEYS, MAX_REQUEST_ID_BYTES,
    MAX_SOURCE_CURSOR_BYTES,
};
use crate::file::UploadId;
use crate::job_name::JobName;
use crate::repair_mark::RepairMark;
use crate::replica::Replica;

/// The version of the format that is written. There is no other.
const VERSION: u32 = 1;

/// The JSON document of a message.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    request_id: String,
    #[serde(flatten)]
    work: DocumentWork,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "work")]
enum DocumentWork {
    Replicate {
        to: Replica,
        keys: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<RepairMark>,
    },
    Migrate {
        job: JobName,
        keys: Vec<String>,
    },
    Enumerate {
        job: JobName,
        run: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        batch_size: u32,
    },
    Finalise {
        upload: UploadId,
    },
}

/// A reason why text is not a message of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The text is longer than any message.
    #[error("a message has at most {MAX_MESSAGE_BYTES} bytes; this one has {0}")]
    TooLong(usize),
    /// The text is not JSON, or members are missing.
    #[error("this is not a message of CredLink: {0}")]
    Malformed(String),
    /// The message has another version.
    #[error("the message has version {0}; this program reads {VERSION}")]
    Version(u32),
    /// The message names something that is not the key of an object.
    #[error("the message names `{0}`, which is not the key of a CredLink object")]
    Key(String),
    /// The message names no key, or too many.
    #[error("a message names 1 to {MAX_MESSAGE_KEYS} keys; this one names {0}")]
    Keys(usize),
    /// The message names no item, or too many.
    #[error("a message names 1 to {MAX_MESSAGE_ITEMS} items of a migration; this one names {0}")]
    Items(u64),
    /// The key of an item is empty or too long.
    #[error("the key of an item has 1 to {MAX_ITEM_KEY_BYTES} bytes; one has {0}")]
    ItemKey(usize),
    /// The cursor of a listing is too long.
    #[error("a place in a listing has at most {MAX_SOURCE_CURSOR_BYTES} bytes; this one has {0}")]
    Cursor(usize),
    /// The request ID is too long for a log.
    #[error("a request id has at most {MAX_REQUEST_ID_BYTES} bytes; this one has {0}")]
    RequestId(usize),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match &self.work {
            Work::Replicate { to, keys, mark } => {
                let keys = keys.iter().map(ToString::to_string).collect();
                DocumentWork::Replicate { to: *to, keys, mark: *mark }
            }
            Work::Migrate { job, keys } => DocumentWork::Migrate { job: job.clone(), keys: keys.clone() },
            Work::Enumerate { job, run, after, batch_size } => DocumentWork::Enumerate {
                job: job.clone(),
                run: run.clone(),
                after: after.clone(),
                batch_size: *batch_size,
            },
            Work::Finalise { upload } => DocumentWork::Finalise { upload: *upload },
        };
        let document = Document { version: VERSION, request_id: self.request_id.clone(), work };
        f.write_str(&serde_json::to_string(&document).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Message {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        if text.len() > MAX_MESSAGE_BYTES {
            return Err(MessageError::TooLong(text.len()));
        }
        // The version is read first, since the other members depend on it.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let malformed = |error: serde_json::Error| MessageError::Malformed(error.to_string());
        let Versioned { version } = serde_json::from_str(text).map_err(malformed)?;
        if version != VERSION {
            return Err(MessageError::Version(version));
        }
        let document: Document = serde_json::from_str(text).map_err(malformed)?;
        if document.request_id.len() > MAX_REQUEST_ID_BYTES {
            return Err(MessageError::RequestId(document.request_id.len()));
        }
        let work = match document.work {
            DocumentWork::Replicate { to, keys, mark } => {
                if keys.is_empty() || keys.len() > MAX_MESSAGE_KEYS {
                    return Err(MessageError::Keys(keys.len()));
                }
                let keys = keys.into_iter().map(|key| key.parse().map_err(|_| MessageError::Key(key)));
                Work::Replicate { to, keys: keys.collect::<Result<_, _>>()?, mark }
            }
            DocumentWork::Migrate { job, keys } => {
                if keys.is_empty() || keys.len() > MAX_MESSAGE_ITEMS {
                    return Err(MessageError::Items(keys.len() as u64));
                }
                if let Some(key) = keys.iter().find(|key| !(1..=MAX_ITEM_KEY_BYTES).contains(&key.len())) {
                    return Err(MessageError::ItemKey(key.len()));
                }
                Work::Migrate { job, keys }
            }
            DocumentWork::Enumerate { job, run, after, batch_size } => {
                let most = u32::try_from(MAX_MESSAGE_ITEMS).unwrap_or(u32::MAX);
                if !(1..=most).contains(&batch_size) {
                    return Err(MessageError::Items(batch_size.into()));
                }
                if let Some(long) = after.as_ref().filter(|after| after.len() > MAX_SOURCE_CURSOR_BYTES) {
                    return Err(MessageError::Cursor(long.len()));
                }
                if run.len() > MAX_REQUEST_ID_BYTES {
                    return Err(MessageError::RequestId(run.len()));
                }
                Work::Enumerate { job, run, after, batch_size }
            }
            DocumentWork::Finalise { upload } => Work::Finalise { upload },
        };
        Ok(Self { request_id: document.request_id, work })
    }
}

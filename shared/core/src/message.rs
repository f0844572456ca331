//! Messages: work that waits in a queue, as JSON with its own version.
//!
//! A queue delivers at least once and in any order. All work is therefore idempotent, and says what is to be done
//! rather than how: a consumer acts on the state that it finds.

mod arrivals;
mod document;

use crate::file::UploadId;
use crate::job_name::JobName;
use crate::object::ObjectKey;
use crate::repair_mark::RepairMark;
use crate::replica::Replica;

pub use arrivals::{Arrivals, ArrivalsError};
pub use document::MessageError;

/// The work to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Brings the objects under these keys on `to` to what the index and the other provider say: copies what is missing
    /// or stale there, writes tombstones over what was deleted, removes what was removed.
    Replicate {
        /// The provider that may have missed them.
        to: Replica,
        /// The objects, 1 to [`MAX_MESSAGE_KEYS`](crate::bounds::MAX_MESSAGE_KEYS).
        keys: Vec<ObjectKey>,
        /// The mark that this repair takes out of the provider's row when it is done. Until then the mark keeps the
        /// flag there raised.
        mark: Option<RepairMark>,
    },
    /// Copies these items of a migration.
    Migrate {
        /// The job.
        job: JobName,
        /// The items' keys in the job's source, 1 to [`MAX_MESSAGE_ITEMS`](crate::bounds::MAX_MESSAGE_ITEMS), each of 1 to
        /// [`MAX_ITEM_KEY_BYTES`](crate::bounds::MAX_ITEM_KEY_BYTES).
        keys: Vec<String>,
    },
    /// Lists the source of a migration, and queues a message for every few of its items.
    Enumerate {
        /// The job.
        job: JobName,
        /// The holder of the job's lease while the source is listed: an ID that the service makes, and no client
        /// chooses.
        run: String,
        /// The cursor at which the listing of the source goes on, at most
        /// [`MAX_SOURCE_CURSOR_BYTES`](crate::bounds::MAX_SOURCE_CURSOR_BYTES) long; `None` for its beginning.
        after: Option<String>,
        /// Number of items in one message, 1 to [`MAX_MESSAGE_ITEMS`](crate::bounds::MAX_MESSAGE_ITEMS).
        batch_size: u32,
    },
    /// Makes a file of an upload, if all of its bytes have arrived.
    Finalise {
        /// The upload.
        upload: UploadId,
    },
}

/// A message: work, and the request that caused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The ID of the request that queued the message, for the logs.
    pub request_id: String,
    /// The work to be done.
    pub work: Work,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{
        MAX_ITEM_KEY_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGE_ITEMS, MAX_REQUEST_ID_BYTES,
        MAX_SOURCE_CURSOR_BYTES,
    };
    use crate::hash::MediaHash;
    use crate::proof_id::ProofId;
    use crate::tenant::Tenant;
    use crate::time::Timestamp;

    fn message() -> Message {
        let id = ProofId::derive(&Tenant::default(), &MediaHash::of(b"x"));
        let keys = vec![ObjectKey::Record(id), ObjectKey::Manifest("urn:c2pa:x".parse().unwrap())];
        let work = Work::Replicate { to: Replica::Fallback, keys, mark: None };
        Message { request_id: "r-1".to_owned(), work }
    }

    #[test]
    fn a_repair_that_holds_up_a_flag_names_its_mark() {
        let mut marked = message();
        if let Work::Replicate { mark, .. } = &mut marked.work {
            *mark = Some(RepairMark::new(Timestamp::from_milliseconds(1_800_000_000_123), 0xab));
        }
        let text = marked.to_string();
        insta::assert_snapshot!("marked", text);
        assert_eq!(text.parse(), Ok(marked));
        let error = text.replace("-00", "+00").parse::<Message>().unwrap_err().to_string();
        assert!(error.contains("the mark of a repair is"), "{error}");
    }

    #[test]
    fn a_message_reads_back() {
        let text = message().to_string();
        insta::assert_snapshot!("message", text);
        assert_eq!(text.parse(), Ok(message()));
    }

    #[test]
    fn messages_of_a_migration_read_back() {
        let job: JobName = "archive-2019".parse().unwrap();
        let keys = vec!["a/b.json".to_owned(), "\u{0}\"ü".to_owned(), "k".repeat(MAX_ITEM_KEY_BYTES)];
        for (name, work) in [
            ("migrate", Work::Migrate { job: job.clone(), keys: keys[..2].to_vec() }),
            (
                "enumerate",
                Work::Enumerate {
                    job: job.clone(),
                    run: "run-1".to_owned(),
                    after: Some("x".to_owned()),
                    batch_size: 100,
                },
            ),
            (
                "enumerate_all",
                Work::Enumerate { job: job.clone(), run: "run-1".to_owned(), after: None, batch_size: 1 },
            ),
            ("", Work::Migrate { job, keys }),
        ] {
            let message = Message { request_id: "r-1".to_owned(), work };
            let text = message.to_string();
            assert_eq!(text.parse(), Ok(message));
            if !name.is_empty() {
                insta::assert_snapshot!(name, text);
            }
        }
    }

    #[test]
    fn a_message_about_an_upload_reads_back() {
        let work = Work::Finalise { upload: UploadId::from_random([3; 20]) };
        let message = Message { request_id: "r-1".to_owned(), work };
        let text = message.to_string();
        insta::assert_snapshot!("finalise", text);
        assert_eq!(text.parse(), Ok(message));
        let error =
            text.replace("\"upload\":\"", "\"upload\":\"x").parse::<Message>().unwrap_err().to_string();
        assert!(error.contains("32"), "{error}");
    }

    /// The longest cursor and the longest single item fit a message, however much of them must be escaped.
    #[test]
    fn what_a_migration_cannot_split_fits() {
        let job: JobName = "x".repeat(64).parse().unwrap();
        let request_id = "\u{1}".repeat(MAX_REQUEST_ID_BYTES);
        for work in [
            Work::Migrate { job: job.clone(), keys: vec!["\u{1}".repeat(MAX_ITEM_KEY_BYTES)] },
            Work::Migrate { job: job.clone(), keys: vec!["k".repeat(600); MAX_MESSAGE_ITEMS] },
            Work::Enumerate {
                job,
                run: "run-1".to_owned(),
                after: Some("\u{1}".repeat(MAX_SOURCE_CURSOR_BYTES)),
                batch_size: 100,
            },
        ] {
            let message = Message { request_id: request_id.clone(), work };
            assert_eq!(message.to_string().parse(), Ok(message));
        }
    }

    #[test]
    fn what_is_no_message_is_refused_in_words() {
        let text = message().to_string();
        let migrate = |job: &str, keys: &str| {
            format!(r#"{{"version":1,"request_id":"r","work":"migrate","job":{job},"keys":{keys}}}"#)
        };
        let enumerate = |size: &str, after: &str| {
            format!(
                r#"{{"version":1,"request_id":"r","work":"enumerate","job":"a","run":"r","after":"{after}","batch_size":{size}}}"#
            )
        };
        for (bad, words) in [
            (" ".repeat(MAX_MESSAGE_BYTES + 1), "at most"),
            ("{}".to_owned(), "missing field `version`"),
            (text.replace("\"version\":1", "\"version\":2"), "has version 2"),
            (text.replace("replicate", "explode"), "unknown variant `explode`"),
            (text.replace("proofs/", "proof/"), "which is not the key"),
            (text.replace("fallback", "other"), "unknown variant `other`"),
            (text.replace("r-1", &"r".repeat(MAX_REQUEST_ID_BYTES + 1)), "a request id has at most"),
            (
                r#"{"version":1,"request_id":"r","work":"replicate","to":"primary","keys":[]}"#.to_owned(),
                "names 0",
            ),
            (migrate("\"Not a name\"", "[\"a\"]"), "a job's name has"),
            (migrate("\"a\"", "[]"), "1 to 100 items of a migration; this one names 0"),
            (migrate("\"a\"", &format!("[{}]", vec!["\"a\""; 101].join(","))), "this one names 101"),
            (migrate("\"a\"", "[\"\"]"), "1 to 1024 bytes; one has 0"),
            (migrate("\"a\"", &format!("[\"{}\"]", "k".repeat(1_025))), "one has 1025"),
            (enumerate("0", ""), "this one names 0"),
            (
                enumerate("1", "")
                    .replace(r#""run":"r""#, &format!(r#""run":"{}""#, "r".repeat(MAX_REQUEST_ID_BYTES + 1))),
                "a request id has at most",
            ),
            (enumerate("101", ""), "this one names 101"),
            (enumerate("-1", ""), "invalid value"),
            (enumerate("1", &"x".repeat(MAX_SOURCE_CURSOR_BYTES + 1)), "at most 4096 bytes"),
        ] {
            let error = bad.parse::<Message>().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}

//! The messages of the finaliser's queue: those of CredLink, and the events of a bucket of S3 ("Event message structure",
//! versions 2.0 to 2.6). Both say that the bytes of an upload may have arrived, or a verdict on them, and the finaliser asks the
//! bucket itself.

use std::borrow::Cow;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{Message, MessageError, Work};
use crate::bounds::{MAX_BUCKET_EVENT_BYTES, MAX_REQUEST_ID_BYTES};
use crate::excerpt::excerpt;
use crate::file::UploadId;
use crate::object::{MediaKey, ObjectKey};

/// The uploads that a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// The ID of the request that caused the message, for the logs: one of CredLink's, or of S3's.
    pub request_id: String,
    /// The uploads. The test event that S3 sends when notifications are configured is about none, and neither are events
    /// about anything else than the creation of objects and their tags, in which a scanner puts its verdict.
    pub uploads: Vec<UploadId>,
}

/// A reason why a text is not a message of the finaliser's queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArrivalsError {
    /// The text is longer than any event.
    #[error("an event of a bucket has at most {MAX_BUCKET_EVENT_BYTES} bytes; this one has {0}")]
    TooLong(usize),
    /// The text is no event, or members are missing.
    #[error("not an event of an S3 bucket: {0}")]
    Malformed(String),
    /// The event comes from another service.
    #[error("an event comes from `{0}`, not from S3")]
    Source(String),
    /// The event is about an object that is no upload: notifications are not limited to the prefix `uploads/`.
    #[error(
        "an event is about the object `{0}`, which is not an upload: limit the bucket's notifications to the prefix `uploads/`"
    )]
    Key(String),
    /// The message is one of CredLink's that cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The message is about other work.
    #[error("the message is about other work than the finaliser's")]
    Work,
}

/// The members of an event that tell its form: of the test event, of others, and of a message of CredLink.
#[derive(Deserialize)]
struct Form<'a> {
    #[serde(rename = "Event", borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(rename = "Records")]
    records: Option<Vec<Record<'a>>>,
    #[serde(borrow)]
    work: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    event_source: Cow<'a, str>,
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    #[serde(borrow, default)]
    response_elements: ResponseElements<'a>,
    #[serde(borrow)]
    s3: S3<'a>,
}

#[derive(Deserialize, Default)]
struct ResponseElements<'a> {
    #[serde(rename = "x-amz-request-id", borrow, default)]
    request_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct S3<'a> {
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
}

impl FromStr for Arrivals {
    type Err = ArrivalsError;

    fn from_str(text: &str) -> Result<Self, ArrivalsError> {
        if text.len() > MAX_BUCKET_EVENT_BYTES {
            return Err(ArrivalsError::TooLong(text.len()));
        }
        let form: Form<'_> =
            serde_json::from_str(text).map_err(|error| ArrivalsError::Malformed(error.to_string()))?;
        match form {
            Form { work: Some(_), .. } => of_message(text.parse()?),
            Form { event: Some(event), .. } if event == "s3:TestEvent" => {
                Ok(Self { request_id: String::new(), uploads: Vec::new() })
            }
            Form { records: Some(records), .. } => of_records(&records),
            Form { .. } => Err(ArrivalsError::Malformed("it has no `Records`".to_owned())),
        }
    }
}

fn of_message(message: Message) -> Result<Arrivals, ArrivalsError> {
    let Work::Finalise { upload } = message.work else { return Err(ArrivalsError::Work) };
    Ok(Arrivals { request_id: message.request_id, uploads: vec![upload] })
}

fn of_records(records: &[Record<'_>]) -> Result<Arrivals, ArrivalsError> {
    let mut arrivals = Arrivals { request_id: String::new(), uploads: Vec::new() };
    for record in records {
        if record.event_source != "aws:s3" {
            return Err(ArrivalsError::Source(excerpt(&record.event_source).to_string()));
        }
        let is_about_content = record.event_name.starts_with("ObjectCreated:");
        if !is_about_content && record.event_name != "ObjectTagging:Put" {
            continue;
        }
        let id = &record.response_elements.request_id;
        if arrivals.request_id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES {
            arrivals.request_id = id.to_string();
        }
        let upload = upload(&record.s3.object.key);
        arrivals
            .uploads
            .push(upload.ok_or_else(|| ArrivalsError::Key(excerpt(&record.s3.object.key).to_string()))?);
    }
    Ok(arrivals)
}

/// Returns the upload whose bytes are under a key, which is encoded as in a form: a blank is a plus sign.
fn upload(key: &str) -> Option<UploadId> {
    let key = key.replace('+', " ");
    let key = percent_decode_str(&key).decode_utf8().ok()?;
    match key.parse() {
        Ok(ObjectKey::Media(MediaKey::Upload(_, id))) => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "a4dqobyha4dqobyha4dqobyha4dqobyh";

    /// An event as S3 sends it, with all members.
    fn event(name: &str, key: &str) -> String {
        format!(
            r#"{{"Records":[{{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-central-1",
            "eventTime":"2026-11-30T03:00:00.000Z","eventName":"{name}","userIdentity":{{"principalId":"AWS:AROAX:credlink-StoreFunction"}},
            "requestParameters":{{"sourceIPAddress":"192.0.2.1"}},"responseElements":{{"x-amz-request-id":"C3D13FE58DE4C810",
            "x-amz-id-2":"FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD"}},"s3":{{"s3SchemaVersion":"1.0",
            "configurationId":"uploads","bucket":{{"name":"credlink-bucket-1","ownerIdentity":{{"principalId":"A3NL1KOZZKExample"}},
            "arn":"arn:aws:s3:::credlink-bucket-1"}},"object":{{"key":"{key}","size":1024,"eTag":"d41d8cd98f00b204e9800998ecf8427e",
            "versionId":"096fKKXTRTtl3on89fVO.nfljtsv6qko","sequencer":"0055AED6DCD90281E5"}}}}}}]}}"#
        )
    }

    #[test]
    fn an_event_names_the_upload_that_arrived() {
        let id: UploadId = ID.parse().unwrap();
        for name in [
            "ObjectCreated:Put",
            "ObjectCreated:CompleteMultipartUpload",
            "ObjectCreated:Copy",
            "ObjectTagging:Put",
        ] {
            for key in [format!("uploads/default/{ID}"), format!("uploads%2Fdefault%2F{ID}")] {
                let arrivals: Arrivals = event(name, &key).parse().unwrap();
                assert_eq!(arrivals.uploads, [id], "{name} {key}");
                assert_eq!(arrivals.request_id, "C3D13FE58DE4C810");
            }
        }
        for name in ["ObjectRemoved:Delete", "ObjectTagging:Delete"] {
            assert_eq!(event(name, "anything").parse::<Arrivals>().unwrap().uploads, []);
        }
        // Version 2.0 has no response elements in some regions, and an escape may stand in any text.
        let bare = format!(
            r#"{{"Records":[{{"eventSource":"aws\u003as3","eventName":"ObjectCreated:Put","s3":{{"object":{{"key":"uploads/default/{ID}"}}}}}}]}}"#
        );
        assert_eq!(bare.parse::<Arrivals>().unwrap().uploads, [id]);
    }

    #[test]
    fn a_test_event_is_about_nothing() {
        let text = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"bucketname","RequestId":"5582815E1AEA5ADF","HostId":"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE"}"#;
        assert_eq!(text.parse::<Arrivals>().unwrap().uploads, []);
    }

    #[test]
    fn a_message_of_credlink_names_its_upload() {
        let upload: UploadId = ID.parse().unwrap();
        let message = Message { request_id: "r-1".to_owned(), work: Work::Finalise { upload } };
        let arrivals = message.to_string().parse::<Arrivals>().unwrap();
        assert_eq!(arrivals, Arrivals { request_id: "r-1".to_owned(), uploads: vec![upload] });
    }

    #[test]
    fn what_is_no_arrival_is_refused_in_words() {
        let good = event("ObjectCreated:Put", &format!("uploads/default/{ID}"));
        for (bad, words) in [
            (" ".repeat(MAX_BUCKET_EVENT_BYTES + 1), "at most 262144 bytes"),
            (String::new(), "not an event"),
            ("{}".to_owned(), "no `Records`"),
            ("[]".to_owned(), "not an event"),
            (good.replace("aws:s3", "aws:sns"), "comes from `aws:sns`"),
            (good.replace("uploads/default", "proofs/default"), "not an upload"),
            (good.replace(ID, &ID[1..]), "not an upload"),
            (good.replace("uploads/", "uploads/+"), "not an upload"),
            (good.replace("uploads/", "uploads%FF/"), "not an upload"),
            (good.replace("\"key\"", "\"name\""), "missing field `key`"),
            (
                r#"{"version":1,"request_id":"r","work":"migrate","job":"a","keys":["a"]}"#.to_owned(),
                "other work",
            ),
            (r#"{"version":2,"request_id":"r","work":"finalise"}"#.to_owned(), "has version 2"),
            (r#"{"version":1,"request_id":"r","work":"finalise","upload":"x"}"#.to_owned(), "32 characters"),
        ] {
            let error = bad.parse::<Arrivals>().unwrap_err().to_string();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }
}

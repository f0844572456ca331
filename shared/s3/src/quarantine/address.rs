//! The addresses to which clients send bytes: presigned requests (S3 API, "Authenticating Requests: Using Query
//! Parameters"). Making one sends nothing.

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use credlink_aws::{Error, ErrorKind};
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::Part;
use credlink_core::time::Timestamp;
use credlink_ports::{Clock as _, SignedPut};
use credlink_runtime::clock::SystemClock;
use data_encoding::BASE64;

use super::S3Quarantine;

/// The headers that an address may sign, besides `host`.
const SIGNED: [&str; 6] = [
    "content-length",
    "content-type",
    "if-none-match",
    "x-amz-checksum-sha256",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
];

/// The longest time for which an address can be signed, in seconds: a week.
const MAX_SECONDS: u64 = 604_800;

/// The time for which an address is signed, in whole seconds, as the signature has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    /// The first second, since the start of 1970.
    from: u64,
    seconds: u64,
}

impl Validity {
    /// Returns the longest validity that begins `now` and ends at `until` at the latest, or `None` if there is none.
    fn until(until: Timestamp, now: Timestamp) -> Option<Self> {
        let from = now.seconds();
        let seconds = until.seconds().saturating_sub(from).min(MAX_SECONDS);
        (seconds > 0).then_some(Self { from, seconds })
    }

    /// Returns the end, or that of the session if it is earlier.
    fn end(self, session: Option<u64>) -> Timestamp {
        let end = self.from + self.seconds;
        Timestamp::from_milliseconds(0).plus_seconds(session.map_or(end, |session| session.min(end)))
    }
}

impl S3Quarantine {
    /// Returns the address of a `PUT` of all bytes.
    pub(super) async fn address_of_all(
        &self,
        upload: &UploadRow,
        until: Timestamp,
    ) -> Result<SignedPut, Error> {
        let objects = &self.objects;
        let key = upload.key();
        let put = objects
            .client()
            .put_object()
            .bucket(objects.bucket())
            .key(key.to_string())
            .content_length(length(upload.size))
            .content_type(key.content_type())
            .if_none_match("*")
            .set_checksum_sha256(upload.media_hash.map(|hash| BASE64.encode(hash.digest().as_bytes())))
            .set_server_side_encryption(objects.encryption())
            .set_ssekms_key_id(objects.kms_key());
        let (validity, config) = self.validity(until)?;
        let signed = put.presigned(config).await.map_err(|error| objects.error(&error))?;
        self.signed(&signed, validity)
    }

    /// Returns the address of a part. What is there already is replaced: only whole parts count.
    pub(super) async fn address_of_part(
        &self,
        upload: &UploadRow,
        part: &Part,
        until: Timestamp,
    ) -> Result<SignedPut, Error> {
        let objects = &self.objects;
        let put = objects
            .client()
            .upload_part()
            .bucket(objects.bucket())
            .key(upload.key().to_string())
            .upload_id(self.multipart(upload)?)
            .part_number(i32::try_from(part.number).unwrap_or(i32::MAX))
            .content_length(length(part.length()));
        let (validity, config) = self.validity(until)?;
        let signed = put.presigned(config).await.map_err(|error| objects.error(&error))?;
        self.signed(&signed, validity)
    }

    fn validity(&self, until: Timestamp) -> Result<(Validity, PresigningConfig), Error> {
        let validity = Validity::until(until, SystemClock.now()).ok_or_else(|| {
            self.refused(format!("an address that ends at {until} would have ended already"))
        })?;
        let config = PresigningConfig::builder()
            .start_time(UNIX_EPOCH + Duration::from_secs(validity.from))
            .expires_in(Duration::from_secs(validity.seconds))
            .build();
        Ok((validity, config.map_err(|error| self.refused(error.to_string()))?))
    }

    /// Returns the address of a presigned request. Of its headers, a client gets those that are signed: what is added
    /// later, for the service itself ([`AsStored`](crate::as_stored)), a browser may not send.
    fn signed(&self, request: &PresignedRequest, validity: Validity) -> Result<SignedPut, Error> {
        let url = request.uri();
        let mut headers = Vec::with_capacity(SIGNED.len());
        for name in parameter(url, "X-Amz-SignedHeaders").unwrap_or_default().split("%3B") {
            if name == "host" {
                continue;
            }
            let known = SIGNED.into_iter().find(|known| *known == name);
            let sent = request.headers().find(|(sent, _)| sent.eq_ignore_ascii_case(name));
            let (Some(known), Some((_, value))) = (known, sent) else {
                return Err(self.refused(format!("an address signs the header {name}")));
            };
            headers.push((known, value.to_owned()));
        }
        let session = access_key(url).and_then(|key| self.sessions.end(key));
        let session = session.map(|end| end.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
        Ok(SignedPut { url: url.to_owned(), headers, expires: validity.end(session) })
    }

    pub(super) fn refused(&self, what: impl Into<String>) -> Error {
        Error::new(self.provider(), ErrorKind::Refused, what)
    }
}

/// Returns a length in the SDK's type.
fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Returns a parameter of the query of an address, as it is written there.
fn parameter<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let query = url.split_once('?')?.1;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Returns the access key of an address: `X-Amz-Credential=KEY%2F20260102%2F…`.
fn access_key(url: &str) -> Option<&str> {
    parameter(url, "X-Amz-Credential")?.split(['/', '%']).next()
}

#[cfg(test)]
mod tests {
    use credlink_aws::{http_client, plain_config};
    use credlink_core::access::Caller;
    use credlink_core::collection::Collections;
    use credlink_core::file::UploadId;
    use credlink_core::hash::MediaHash;
    use credlink_core::rules::upload::Announcement;

    use super::*;
    use crate::sdk::Credentials;
    use crate::settings::{Encryption, S3Settings};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(seconds * 1_000)
    }

    #[test]
    fn an_address_ends_in_time() {
        let until = |milliseconds, now| {
            let validity = Validity::until(
                Timestamp::from_milliseconds(milliseconds),
                Timestamp::from_milliseconds(now),
            );
            validity.map(|validity| (validity.from, validity.seconds))
        };
        assert_eq!(until(20_000, 10_000), Some((10, 10)));
        assert_eq!(until(20_999, 10_001), Some((10, 10)), "never later than asked for");
        assert_eq!(until(10_999, 10_000), None);
        assert_eq!(until(9_000, 10_000), None);
        assert_eq!(until(10_000_000_000, 10_000), Some((10, 604_800)));
        let validity = Validity { from: 10, seconds: 10 };
        for (session, end) in [(None, 20), (Some(15), 15), (Some(20), 20), (Some(99), 20)] {
            assert_eq!(validity.end(session), at(end));
        }
    }

    #[test]
    fn an_address_names_its_access_key() {
        assert_eq!(access_key("https://b/k?a=b&X-Amz-Credential=AKIA1%2F2026%2Fx&c=d"), Some("AKIA1"));
        assert_eq!(access_key("https://b/k?X-Amz-Credential=AKIA1/2026/x"), Some("AKIA1"));
        assert_eq!(access_key("https://b/k?a=b"), None);
        assert_eq!(access_key("https://b/k"), None);
    }

    fn row(size: u64) -> UploadRow {
        let body = br#"{"collection": "temp", "size": 1, "type": "image/jpeg"}"#;
        let announced = Announcement::parse(body, &Collections::default(), &Caller::trusted()).unwrap();
        UploadRow { size, ..announced.row(UploadId::from_random([3; 20]), SystemClock.now()) }
    }

    fn quarantine(settings: S3Settings, end: Option<u64>) -> S3Quarantine {
        let end = end.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        let credentials = Some(Credentials::new("AKIDEXAMPLE", "secret", None, end, "tests"));
        S3Quarantine::new(S3Settings { credentials, ..settings }, &plain_config(http_client()))
    }

    #[tokio::test]
    async fn everything_that_a_client_sends_is_signed() {
        let quarantine = quarantine(S3Settings::s3("bucket", "eu-central-1"), None);
        let upload = UploadRow { media_hash: Some(MediaHash::of(b"x")), ..row(6) };
        let until = SystemClock.now().plus_seconds(3_600);
        let put = quarantine.address_of_all(&upload, until).await.unwrap();
        let start = format!("https://bucket.s3.eu-central-1.amazonaws.com/{}?", upload.key());
        assert!(put.url.starts_with(&start), "{}", put.url);
        let sha256 = "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=";
        let headers = [
            ("content-length", "6"),
            ("content-type", "application/octet-stream"),
            ("if-none-match", "*"),
            ("x-amz-checksum-sha256", sha256),
        ];
        assert_eq!(put.headers, headers.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(
            parameter(&put.url, "X-Amz-SignedHeaders"),
            Some("content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-checksum-sha256")
        );
        let seconds: u64 = parameter(&put.url, "X-Amz-Expires").unwrap().parse().unwrap();
        assert!((3_590..=3_600).contains(&seconds));
        assert!(put.expires <= until && put.expires > until.minus_seconds(10));
    }

    #[tokio::test]
    async fn a_part_signs_its_length() {
        let quarantine = quarantine(S3Settings::s3("bucket", "eu-central-1"), None);
        let upload = row(100_000_001);
        let part = Part { number: 2, range: 8_388_608..16_777_216 };
        let until = SystemClock.now().plus_seconds(60);
        let refused = quarantine.address_of_part(&upload, &part, until).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Refused, "there is no multipart upload");
        let upload = UploadRow { multipart: Some("an/id".to_owned()), ..upload };
        let put = quarantine.address_of_part(&upload, &part, until).await.unwrap();
        assert_eq!(put.headers, [("content-length", "8388608".to_owned())]);
        assert_eq!(parameter(&put.url, "X-Amz-SignedHeaders"), Some("content-length%3Bhost"));
        assert_eq!(parameter(&put.url, "partNumber"), Some("2"));
        assert_eq!(parameter(&put.url, "uploadId"), Some("an%2Fid"));
        let refused = quarantine.address_of_part(&upload, &part, SystemClock.now()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Refused);
    }

    #[tokio::test]
    async fn a_browser_gets_no_header_that_it_may_not_send() {
        let settings = S3Settings::r2(
            "bucket",
            "account",
            Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"),
        );
        let put =
            quarantine(settings, None).address_of_all(&row(6), SystemClock.now().plus_seconds(60)).await;
        let names: Vec<_> = put.unwrap().headers.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["content-length", "content-type", "if-none-match"]);
    }

    #[tokio::test]
    async fn a_configured_encryption_is_sent_by_the_client() {
        let key = "arn:aws:kms:eu-central-1:123456789012:key/1";
        let settings = S3Settings {
            encryption: Encryption::Kms(key.to_owned()),
            ..S3Settings::s3("bucket", "eu-central-1")
        };
        let put =
            quarantine(settings, None).address_of_all(&row(6), SystemClock.now().plus_seconds(60)).await;
        let headers = put.unwrap().headers;
        assert!(headers.contains(&("x-amz-server-side-encryption", "aws:kms".to_owned())), "{headers:?}");
        let named = ("x-amz-server-side-encryption-aws-kms-key-id", key.to_owned());
        assert!(headers.contains(&named), "{headers:?}");
    }

    #[tokio::test]
    async fn an_address_ends_with_the_session() {
        let end = SystemClock.now().seconds() + 600;
        let quarantine = quarantine(S3Settings::s3("bucket", "eu-central-1"), Some(end));
        let now = SystemClock.now();
        let put = quarantine.address_of_all(&row(6), now.plus_seconds(3_600)).await.unwrap();
        assert_eq!(put.expires.seconds(), end);
        let put = quarantine.address_of_all(&row(6), now.plus_seconds(300)).await.unwrap();
        assert!(put.expires <= now.plus_seconds(300));
    }
}

//! The cost of a store and of a read with the SDK alone: the same calls in the same order, and nothing around them.

use std::net::SocketAddr;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::config::Credentials;
use bytes::Bytes;
use credlink_aws::{http_client, plain_config};
use credlink_core::hash::Digest;
use credlink_core::object::{Attributes, ObjectKey};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_dynamodb::table::create_table;
use credlink_ports::Clock as _;
use credlink_runtime::clock::SystemClock;
use credlink_s3::{S3Objects, S3Settings};

use crate::engines::{ACCESS_KEY, BUCKET, REGION, SECRET, TABLE};
use crate::error::Error;
use crate::material::{MaterialKind, media_hash, proof_id};

/// Clients with the SDK's own settings, and their own connection pool.
#[derive(Debug)]
pub struct Bare {
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
}

/// The bucket of the engine at this address.
#[must_use]
pub fn objects(address: SocketAddr) -> S3Objects {
    let credentials = Credentials::new(ACCESS_KEY, SECRET, None, None, "bench");
    let settings = S3Settings::s3(BUCKET, REGION).at(format!("http://{address}"));
    S3Objects::new(S3Settings { credentials: Some(credentials), ..settings }, &plain_config(http_client()))
}

/// A store that is prepared before the clock starts.
#[derive(Debug)]
pub struct Prepared {
    key: String,
    row: String,
    body: Bytes,
    attributes: Attributes,
    item: Vec<(&'static str, AttributeValue)>,
}

impl Bare {
    /// Clients of the engines at these URLs.
    #[must_use]
    pub fn new(s3: &str, dynamodb: &str) -> Self {
        let credentials = Credentials::new(ACCESS_KEY, SECRET, None, None, "bench");
        let shared = plain_config(http_client());
        let config = aws_sdk_s3::config::Builder::from(&shared)
            .region(aws_sdk_s3::config::Region::new(REGION))
            .credentials_provider(credentials.clone())
            .endpoint_url(s3)
            .force_path_style(true);
        let s3 = aws_sdk_s3::Client::from_conf(config.build());
        let config = aws_sdk_dynamodb::config::Builder::from(&shared)
            .region(aws_sdk_dynamodb::config::Region::new(REGION))
            .credentials_provider(credentials)
            .endpoint_url(dynamodb);
        Self { s3, dynamodb: aws_sdk_dynamodb::Client::from_conf(config.build()) }
    }

    /// Creates the bucket and, for a real DynamoDB, the table.
    ///
    /// # Errors
    /// Fails if they cannot be created.
    pub async fn prepare(&self, with_table: bool) -> Result<(), Error> {
        self.s3
            .create_bucket()
            .bucket(BUCKET)
            .send()
            .await
            .map_err(|error| failed("making the bucket", &error))?;
        if with_table {
            let made = create_table(&self.dynamodb, TABLE).await;
            made.map_err(|error| Error::wrong("making the table", error))?;
        }
        Ok(())
    }

    /// Reads the record of proof `number` with `GetObject` to the last byte, and returns its length.
    ///
    /// # Errors
    /// Fails if the record does not exist, or the call fails.
    pub async fn read(&self, number: u64) -> Result<usize, Error> {
        let key = ObjectKey::Record(proof_id(number)).to_string();
        let got = self.s3.get_object().bucket(BUCKET).key(key).send().await;
        let got = got.map_err(|error| failed("GetObject", &error))?;
        let body = got.body.collect().await.map_err(|error| failed("GetObject", &error))?;
        Ok(body.into_bytes().len())
    }

    /// Stores a proof: `GetItem` of an absent row, `UpdateItem` of an intent, `PutObject` of an absent object, and
    /// `UpdateItem` of the row.
    ///
    /// # Errors
    /// Fails if one of the calls fails.
    pub async fn store(&self, store: Prepared) -> Result<(), Error> {
        let Prepared { key, row, body, attributes, item } = store;
        let get = self.dynamodb.get_item().table_name(TABLE).consistent_read(true);
        let got = get.key("pk", text(&row)).key("sk", text("ROW")).send().await;
        if got.map_err(|error| failed("GetItem", &error))?.item.is_some_and(|item| !item.is_empty()) {
            return Err(Error::wrong("GetItem", "the row was there already"));
        }
        let now = SystemClock.now().milliseconds();
        let note = self.dynamodb.update_item().table_name(TABLE).key("pk", text("INTENT#0"));
        let note = note.key("sk", text(&format!("{now:015}#{key}"))).update_expression("SET #ttl = :ttl");
        let note = note.expression_attribute_names("#ttl", "ttl");
        let note = note.expression_attribute_values(":ttl", AttributeValue::N((now / 1_000).to_string()));
        note.send().await.map_err(|error| failed("UpdateItem", &error))?;
        let put = self.s3.put_object().bucket(BUCKET).key(key).if_none_match("*");
        let put = put.content_type(attributes.content_type).set_content_encoding(attributes.content_encoding);
        let put = put.set_cache_control(attributes.cache_control);
        let put = put.set_metadata(Some(attributes.metadata.into_iter().collect()));
        put.body(body.into()).send().await.map_err(|error| failed("PutObject", &error))?;
        let mut update = self.dynamodb.update_item().table_name(TABLE).key("pk", text(&row));
        let mut set = Vec::new();
        for (name, value) in item {
            set.push(format!("#{name} = :{name}"));
            update = update.expression_attribute_names(format!("#{name}"), name);
            update = update.expression_attribute_values(format!(":{name}"), value);
        }
        let update = update.key("sk", text("ROW")).update_expression(format!("SET {}", set.join(", ")));
        let update = update.condition_expression("attribute_not_exists(pk)");
        update.send().await.map_err(|error| failed("UpdateItem", &error))?;
        Ok(())
    }
}

impl Prepared {
    /// Prepares the store of proof `number`: the bytes that the service would write, and a row of the same size.
    ///
    /// # Errors
    /// Fails if there is no such proof.
    pub fn new(number: u64) -> Result<Self, Error> {
        let draft = Draft::parse(&MaterialKind::Json.body(number), Tenant::default(), None);
        let draft = draft.map_err(|problem| Error::wrong("a draft", problem))?;
        let record = draft.record(1, Timestamp::from_milliseconds(1_795_262_400_000));
        let (id, bytes) = (proof_id(number), record.to_bytes());
        let key = ObjectKey::Record(id);
        let digest = Digest::of(&bytes);
        let (body, attributes) = record.stored(&bytes, digest, &key);
        let (hash, digest) = (media_hash(number).to_string(), digest.to_string());
        let instant = "2026-11-21T12:00:00.000Z";
        let item = vec![
            ("created", text(instant)),
            ("expires", text(instant)),
            ("first_revision", count(1)),
            ("format", count(1)),
            ("gsi1pk", text("TENANT#default")),
            ("gsi1sk", text(&format!("001795262400000#{id}"))),
            ("gsi2pk", text("DUE#0")),
            ("gsi2sk", text(&format!("001795262400000#PROOF#{id}"))),
            ("id", text(&id.to_string())),
            ("manifest_length", count(4_096)),
            ("manifest_sha256", text(&digest)),
            ("manifest_type", text("application/json")),
            ("media_hash", text(&hash)),
            ("record_sha256", text(&digest)),
            ("revision", count(1)),
            ("row", text("proof")),
            ("state", text("live")),
            ("tenant", text("default")),
            ("token", text("0123456789abcdef0123456789abcdef")),
            ("version", count(1)),
            ("visibility", text("public")),
        ];
        Ok(Self { key: key.to_string(), row: format!("PROOF#{id}"), body, attributes, item })
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn count(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// An error of the SDK with its causes, which its own display omits.
fn failed(doing: &str, error: &dyn std::error::Error) -> Error {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    Error::wrong(doing, causes.join(": "))
}

//! The table: names, keys and indexes, and whether the one that is there is it.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableDescription, TableStatus,
};
use aws_smithy_types::error::operation::BuildError;
use credlink_core::hash::Digest;

use super::NAME;
use crate::{Error, ErrorKind};

/// The partition key, text: `PROOF#id`, `MANIFEST#id`, `ALIAS#id`, `LEGACY#proof id`, `REPLICA#primary`, `STATS#shard`,
/// `JOB#name`, `INTENT#shard`.
pub const PARTITION_KEY: &str = "pk";
/// The sort key, text: `ROW` or `SUM`; of an intent, its instant and the key of its object; of a migration, what its [ledger](crate::dynamodb::ledger::TableLedger) says.
pub const SORT_KEY: &str = "sk";
/// The index that lists a tenant's live proofs, its legacy ids, and its manifests that were stored for themselves.
pub const TENANT_INDEX: &str = "gsi1";
/// Its partition key, text: `TENANT#name` on live proofs, `ALIASES#name` on legacy ids that name a proof, `MANIFESTS#name` on
/// live manifests that were stored for themselves.
pub const TENANT_KEY: &str = "gsi1pk";
/// Its sort key, text: since when the proof is live in milliseconds (15 digits), `#`, the proof id; or the legacy id or the
/// manifest id.
pub const TENANT_SORT: &str = "gsi1sk";
/// The index that lists what is due.
pub const DUE_INDEX: &str = "gsi2";
/// Its partition key, text: `DUE#0` to `DUE#3`. On rows that cleanup has to look at some day.
pub const DUE_KEY: &str = "gsi2pk";
/// Its sort key, text: when the row is due in milliseconds (15 digits), `#`, the row's key.
pub const DUE_SORT: &str = "gsi2sk";
/// The attribute that DynamoDB's time to live goes by, in seconds since 1970. **No row has it**: a deleted proof's row
/// is what keeps it deleted. Intents have it.
pub const TIME_TO_LIVE: &str = "ttl";

/// The prefix of the partition keys of intents.
pub(super) const INTENT_KEYS: &str = "INTENT#";

/// The sort key of rows.
pub(super) const ROW: &str = "ROW";
/// The sort key of sums.
pub(super) const SUM: &str = "SUM";
/// The attribute that says which commit wrote a row.
pub(crate) const TOKEN: &str = "token";
/// The attribute that says how a row is written.
pub(crate) const FORMAT: &str = "format";
/// The attribute that counts a proof's reads.
pub(super) const READS: &str = "reads";
/// The attribute with a proof's last read, in milliseconds.
pub(super) const LAST_READ: &str = "last_read";

/// Largest item that DynamoDB takes, in bytes.
pub(crate) const MAX_ITEM_BYTES: usize = 400 * 1_024;

/// Partitions of [`DUE_INDEX`]. One takes 1,000 changes a second, and most new proofs are due at the same end of it;
/// with four, 4,000 stores a second fit, and a page of what is due takes four queries. The number is part of the
/// format.
pub(super) const DUE_SHARDS: u8 = 4;

/// How long a new table may take until it can be used.
const CREATION: Duration = Duration::from_secs(60);

/// The partition of [`DUE_INDEX`] that a row is in.
pub(super) fn due_shard(partition: &str) -> String {
    due_partition(Digest::of(partition.as_bytes()).as_bytes()[0] % DUE_SHARDS)
}

/// The name of a partition of [`DUE_INDEX`].
pub(super) fn due_partition(shard: u8) -> String {
    format!("DUE#{shard}")
}

/// Makes the table, on demand, and waits until it can be used. For tests and local engines: in an account of AWS the
/// template makes it, with backups and protection against deletion.
///
/// # Errors
/// The name is taken, or DynamoDB refuses or fails.
pub async fn create_table(client: &Client, name: &str) -> Result<(), Error> {
    let invalid = |error: BuildError| Error::new(NAME, ErrorKind::Refused, error.to_string());
    let mut request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for attribute in [PARTITION_KEY, SORT_KEY, TENANT_KEY, TENANT_SORT, DUE_KEY, DUE_SORT] {
        let definition =
            AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S);
        request = request.attribute_definitions(definition.build().map_err(invalid)?);
    }
    for element in schema(PARTITION_KEY, SORT_KEY).map_err(invalid)? {
        request = request.key_schema(element);
    }
    for (index, partition, sort) in [(TENANT_INDEX, TENANT_KEY, TENANT_SORT), (DUE_INDEX, DUE_KEY, DUE_SORT)]
    {
        // Keys alone: a write that moves a row in no listing costs nothing there, and pages show rows as they are.
        let projection = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(index)
            .set_key_schema(Some(schema(partition, sort).map_err(invalid)?.into()))
            .projection(projection);
        request = request.global_secondary_indexes(index.build().map_err(invalid)?);
    }
    request.send().await.map_err(|error| Error::classify(NAME, &error))?;
    let ready = async {
        loop {
            let table = describe(client, name).await?;
            if table.table_status() == Some(&TableStatus::Active) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let late = |_| Error::new(NAME, ErrorKind::TimedOut, format!("the table {name} is not active yet"));
    tokio::time::timeout(CREATION, ready).await.map_err(late)?
}

fn schema(partition: &str, sort: &str) -> Result<[KeySchemaElement; 2], BuildError> {
    let element = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok([element(partition, KeyType::Hash)?, element(sort, KeyType::Range)?])
}

async fn describe(client: &Client, name: &str) -> Result<TableDescription, Error> {
    let answer = client.describe_table().table_name(name).send().await;
    let table = answer.map_err(|error| Error::classify(NAME, &error))?.table;
    table.ok_or_else(|| Error::new(NAME, ErrorKind::Unavailable, "it described no table"))
}

/// Whether the table can be used, and is one of this program's.
///
/// # Errors
/// What is wrong, and what would mend it.
pub(super) async fn check(client: &Client, name: &str) -> Result<(), Error> {
    let region = client.config().region().map_or("no region", |region| region.as_ref()).to_owned();
    let table = describe(client, name).await.map_err(|error| {
        let advice = match error.kind {
            ErrorKind::NotFound => format!(
                "there is no table `{name}` in the region {region}: deploy the template that makes it, or correct the \
                 table's name or STORAGE_REGION"
            ),
            ErrorKind::AccessDenied if error.code.as_deref() == Some("AccessDeniedException") => format!(
                "the credentials may not look at the table `{name}`: allow them dynamodb:DescribeTable on it, and check \
                 that the account is the right one"
            ),
            ErrorKind::AccessDenied => format!(
                "the credentials are refused or missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a \
                 role (region {region})"
            ),
            ErrorKind::TimedOut | ErrorKind::Unavailable => {
                format!("DynamoDB does not answer in the region {region}: check the network and STORAGE_REGION")
            }
            _ => return error,
        };
        let message = format!("{advice} ({})", error.message);
        Error { message, ..error }
    })?;
    match misfit(&table) {
        None => Ok(()),
        Some(what) => {
            let message = format!("the table `{name}` is not one of CredLink's: {what}; name another table");
            Err(Error::new(NAME, ErrorKind::Refused, message))
        }
    }
}

/// In what the table differs from the one that [`create_table`] makes.
fn misfit(table: &TableDescription) -> Option<String> {
    let status = table.table_status();
    if !matches!(status, Some(TableStatus::Active | TableStatus::Updating)) {
        return Some(format!("its status is {}", status.map_or("unknown", TableStatus::as_str)));
    }
    let differs = |keys: &[KeySchemaElement], partition: &str, sort: &str| {
        let named = |kind: KeyType| {
            keys.iter().find(|key| *key.key_type() == kind).map(KeySchemaElement::attribute_name)
        };
        (named(KeyType::Hash), named(KeyType::Range)) != (Some(partition), Some(sort))
    };
    if differs(table.key_schema(), PARTITION_KEY, SORT_KEY) {
        return Some(format!("its keys are not `{PARTITION_KEY}` and `{SORT_KEY}`"));
    }
    for (name, partition, sort) in [(TENANT_INDEX, TENANT_KEY, TENANT_SORT), (DUE_INDEX, DUE_KEY, DUE_SORT)] {
        let index = table.global_secondary_indexes().iter().find(|index| index.index_name() == Some(name));
        match index {
            None => return Some(format!("it has no index `{name}`")),
            Some(index) if differs(index.key_schema(), partition, sort) => {
                return Some(format!("the keys of its index `{name}` are not `{partition}` and `{sort}`"));
            }
            Some(_) => {}
        }
    }
    let texts = table.attribute_definitions().iter();
    let odd = texts.clone().find(|attribute| *attribute.attribute_type() != ScalarAttributeType::S);
    odd.map(|attribute| format!("its key `{}` is not text", attribute.attribute_name()))
}

//! The table: names, keys and indexes, and a check that an existing table has them.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableDescription, TableStatus,
};
use aws_smithy_types::error::operation::BuildError;
use credlink_aws::{Error, ErrorKind};
use credlink_core::hash::Digest;

use crate::failure::NAME;

/// The partition key, a text: `PROOF#id`, `MANIFEST#id`, `ALIAS#id`, `LEGACY#proof id`, `REPLICA#primary`, `FILE#id`,
/// `BLOB#id`, `ENTITY#tenant#type#id#collection`, `UPLOAD#id`, `QUOTA#tenant#owner`, `STATS#shard`, `JOB#name`,
/// `INTENT#shard`, `ACCESS#file id`.
pub const PARTITION_KEY: &str = "pk";
/// The sort key, a text: `ROW` or `SUM`; beside the row of a live file, `LISTED` and `LISTED#COLLECTION`; for an intent, its
/// instant and the key of its object; for an access, its instant and its number; for a migration, see its
/// [ledger](crate::ledger::TableLedger).
pub const SORT_KEY: &str = "sk";
/// The index that lists a tenant's live proofs, its legacy IDs, its manifests that were stored for themselves, and its
/// files.
pub const TENANT_INDEX: &str = "gsi1";
/// The partition key of [`TENANT_INDEX`], a text: `TENANT#name` on live proofs, `ALIASES#name` on legacy IDs that lead
/// to a proof, `MANIFESTS#name` on live manifests that were stored for themselves. Of a live file, the row has
/// `OWNER#tenant#owner` if there is an owner, and the items beside it `FILES#tenant` and `COLLECTION#tenant#collection`.
pub const TENANT_KEY: &str = "gsi1pk";
/// The sort key of [`TENANT_INDEX`], a text: the instant since which the proof is live in milliseconds (15 digits),
/// `#`, and the proof ID; the same of a file; or the legacy ID, or the manifest ID.
pub const TENANT_SORT: &str = "gsi1sk";
/// The index that lists due rows.
pub const DUE_INDEX: &str = "gsi2";
/// The partition key of [`DUE_INDEX`], a text: `DUE#0` to `DUE#3`. Only rows that cleanup must check at some time have
/// it.
pub const DUE_KEY: &str = "gsi2pk";
/// The sort key of [`DUE_INDEX`], a text: the instant at which the row is due in milliseconds (15 digits), `#`, and the
/// row's key.
pub const DUE_SORT: &str = "gsi2sk";
/// The attribute for DynamoDB's time to live, in seconds since 1970. Intents and accesses have it. **No row has it**: the row
/// of a deleted proof is what keeps the proof deleted.
pub const TIME_TO_LIVE: &str = "ttl";

/// The prefix of the partition keys of intents.
pub(crate) const INTENT_KEYS: &str = "INTENT#";
/// The prefix of the partition keys of the logs of accesses.
pub(crate) const ACCESS_KEYS: &str = "ACCESS#";
/// The attribute with an entry of a log of accesses, as JSON.
pub(crate) const ENTRY: &str = "entry";

/// The sort key of rows.
pub(crate) const ROW: &str = "ROW";
/// The sort key of sums.
pub(crate) const SUM: &str = "SUM";
/// The attribute with the token of the commit that wrote a row.
pub(crate) const TOKEN: &str = "token";
/// The attribute with the version of a row's format.
pub(crate) const FORMAT: &str = "format";
/// The attribute that counts a proof's reads.
pub(crate) const READS: &str = "reads";
/// The attribute with a proof's last read, in milliseconds.
pub(crate) const LAST_READ: &str = "last_read";

/// The size of the largest item that DynamoDB accepts, in bytes.
pub(crate) const MAX_ITEM_BYTES: usize = 400 * 1_024;

/// The number of partitions of [`DUE_INDEX`]. One accepts 1,000 changes per second, and most new proofs are due at the
/// same end of it. With four, there is room for 4,000 stores per second, and a page of due rows takes four queries. The
/// number is part of the format.
pub(crate) const DUE_SHARDS: u8 = 4;

/// The maximum time until a new table can be used.
const CREATION: Duration = Duration::from_secs(60);

/// Returns the partition of [`DUE_INDEX`] to which a row belongs.
pub(crate) fn due_shard(partition: &str) -> String {
    due_partition(Digest::of(partition.as_bytes()).as_bytes()[0] % DUE_SHARDS)
}

/// Returns the name of a partition of [`DUE_INDEX`].
pub(crate) fn due_partition(shard: u8) -> String {
    format!("DUE#{shard}")
}

/// Creates the table with on-demand capacity, and waits until it can be used. For tests and local engines: in an AWS
/// account, the template creates it, with backups and deletion protection.
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
        // Only keys are projected: a write that moves a row in no listing costs nothing there, and pages show current
        // rows.
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

/// Checks that the table can be used, and that it has the layout of this program.
///
/// # Errors
/// The problem, and how to fix it.
pub(crate) async fn check(client: &Client, name: &str) -> Result<(), Error> {
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

/// Describes how the table differs from one that [`create_table`] creates.
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

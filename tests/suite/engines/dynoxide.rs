//! DynamoDB: one in-memory process for all tests of this binary, and a table for each test.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use credlink_aws::{Limits, http_client, sdk_config};
use credlink_dynamodb::table::create_table;
use credlink_dynamodb::{DynamoIndex, DynamoSettings};

use super::{Process, free_port, tool, unique};

/// The address of DynamoDB.
pub fn endpoint() -> &'static str {
    static ENGINE: OnceLock<(Process, String)> = OnceLock::new();
    let (_, endpoint) = ENGINE.get_or_init(|| {
        let port = free_port();
        let mut command = Command::new(tool("bin/dynoxide"));
        command.args(["serve", "--host", "127.0.0.1", "--log", "quiet", "--port", &port.to_string()]);
        let mut process = Process::start(&command);
        process.wait_for_port(port);
        process.silence();
        (process, format!("http://127.0.0.1:{port}"))
    });
    endpoint
}

/// An index over the table `table` of the engine at `endpoint`, through `client`.
pub async fn index_at(endpoint: &str, table: &str, client: SharedHttpClient, limits: Limits) -> DynamoIndex {
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = sdk_config(client, Some("eu-central-1"), &limits).await.into_builder();
    let config = config.credentials_provider(SharedCredentialsProvider::new(credentials));
    let settings = DynamoSettings { table: table.to_owned(), endpoint: Some(endpoint.to_owned()), limits };
    // Sums are written with the first commit and never again, however slow the machine is.
    DynamoIndex::new(&config.build(), settings).writing_sums_every(Duration::MAX)
}

/// Limits for a machine that is building at the same time.
pub fn patient() -> Limits {
    let second = Duration::from_secs;
    Limits { connect: second(20), attempt: second(60), operation: second(120), retries: 3 }
}

/// An index over an empty table.
pub async fn index() -> DynamoIndex {
    index_over(http_client()).await
}

/// An index over an empty table, through `client`.
pub async fn index_over(client: SharedHttpClient) -> DynamoIndex {
    let table = unique("index");
    let index = index_at(endpoint(), &table, client, patient()).await;
    create_table(index.client(), &table).await.unwrap();
    index
}

/// An index over an empty table, for callers that cannot `await`, such as the constructor of a world.
pub fn index_of_a_world() -> DynamoIndex {
    let made = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // The connections of this index end with the runtime that opened them.
            let table = index().await.table().to_owned();
            index_at(endpoint(), &table, http_client(), patient()).await
        })
    });
    made.join().unwrap()
}

/// Copies the present content of `index` into a new table, as a restore does.
pub async fn copied(index: &DynamoIndex) -> DynamoIndex {
    let copy = self::index().await;
    let items = index.client().scan().table_name(index.table()).send().await.unwrap();
    assert!(items.last_evaluated_key().is_none());
    for item in items.items() {
        let put = copy.client().put_item().table_name(copy.table()).set_item(Some(item.clone()));
        put.send().await.unwrap();
    }
    copy
}

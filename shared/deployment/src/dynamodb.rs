//! The index and the ledgers in a table of DynamoDB.

pub use credlink_dynamodb::DynamoIndex;
pub use credlink_dynamodb::ledger::TableLedger;

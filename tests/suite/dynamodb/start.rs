//! The errors that a program reports when it starts over an unusable table.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use credlink_aws::{ErrorKind, Limits, http_client};

use super::wire::{Fault, Wire};
use crate::engines::dynoxide::{endpoint, index_at, patient};
use crate::engines::{free_port, unique};

#[tokio::test]
async fn a_table_of_ours_is_right() {
    Wire::new().index().await.check().await.unwrap();
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named() {
    let index = index_at(endpoint(), "no-such-table", http_client(), patient()).await;
    let error = index.check().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let words = "there is no table `no-such-table` in the region eu-central-1: deploy the template that makes it, or \
                 correct the table's name or STORAGE_REGION";
    assert!(error.message.starts_with(words), "{error}");
}

#[tokio::test]
async fn a_table_of_somebody_else_is_named() {
    let name = unique("foreign");
    let index = index_at(endpoint(), &name, http_client(), patient()).await;
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
    let attribute =
        AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    let create = index.client().create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    create.key_schema(key).attribute_definitions(attribute.build().unwrap()).send().await.unwrap();
    let error = index.check().await.unwrap_err();
    let words = "is not one of CredLink's: its keys are not `pk` and `sk`; name another table";
    assert!(error.message.ends_with(words), "{error}");
}

#[tokio::test]
async fn refused_credentials_and_missing_rights_are_told_apart() {
    let wire = Wire::new();
    let index = wire.index().await;
    for (code, words) in [
        ("UnrecognizedClientException", "the credentials are refused or missing: set AWS_ACCESS_KEY_ID"),
        ("AccessDeniedException", "allow them dynamodb:DescribeTable on it"),
    ] {
        wire.fail("DescribeTable", Fault::Refuse(400, code));
        let error = index.check().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied);
        assert!(error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn silence_is_told() {
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let limits = Limits { retries: 0, ..Limits::default() };
    let error = index_at(&nowhere, "index", http_client(), limits).await.check().await.unwrap_err();
    assert!(error.message.starts_with("DynamoDB does not answer in the region eu-central-1"), "{error}");
}

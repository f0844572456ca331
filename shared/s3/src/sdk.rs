//! The types of the SDK that settings are made of.

pub use aws_sdk_s3::config::Credentials;
pub use aws_sdk_s3::types::StorageClass;

//! A stand-in for the quarantine in a bucket, in a program without the feature `sdk`. It has no values, so no code can
//! call it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::{Found, Part};
use credlink_core::time::Timestamp;
use credlink_ports::{Failure, Quarantine, Scanner, SignedPut};

/// A quarantine in a bucket, of which this program has none.
#[derive(Clone, Debug)]
pub enum S3Quarantine {}

impl S3Quarantine {
    /// Cannot be called: there is no quarantine.
    #[must_use]
    pub fn guardduty(&self) -> Arc<dyn Scanner> {
        match *self {}
    }
}

impl Quarantine for S3Quarantine {
    fn name(&self) -> &'static str {
        match *self {}
    }

    async fn sign_put(&self, _: &UploadRow, _: Timestamp) -> Result<SignedPut, Failure> {
        match *self {}
    }

    async fn begin(&self, _: &UploadRow) -> Result<String, Failure> {
        match *self {}
    }

    async fn sign_part(&self, _: &UploadRow, _: &Part, _: Timestamp) -> Result<SignedPut, Failure> {
        match *self {}
    }

    async fn found(&self, _: &UploadRow) -> Result<Found, Failure> {
        match *self {}
    }

    async fn join(&self, _: &UploadRow) -> Result<(), Failure> {
        match *self {}
    }

    async fn read(&self, _: &UploadRow, _: Range<u64>) -> Result<Option<Bytes>, Failure> {
        match *self {}
    }

    async fn abort(&self, _: &UploadRow, _: &str) -> Result<(), Failure> {
        match *self {}
    }

    async fn remove(&self, _: &UploadRow) -> Result<(), Failure> {
        match *self {}
    }
}

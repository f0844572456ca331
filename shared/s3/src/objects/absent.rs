//! A stand-in for a bucket, in a program without the feature `sdk`. It has no values, so no code can call it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use credlink_aws::Error;
use credlink_core::object::{Attributes, Head, StoredTag};
use credlink_core::time::Timestamp;
use credlink_ports::migration::bucket::{Bucket, Fetched};
use credlink_ports::{
    Failure, Listed, Page, SingleProvider, forward_checksummed, forward_long_objects, forward_medium,
    forward_objects,
};
use futures_util::stream::{BoxStream, Stream};

use crate::operations::{AnswerHeaders, Deletion, Download, Entry, Range, SignedUrl, Uploaded};

/// A bucket, of which this program has none.
#[derive(Clone, Debug)]
pub enum S3Objects {}

impl S3Objects {
    /// Lists nothing.
    #[must_use]
    pub fn walk(&self, _: &str, _: bool) -> BoxStream<'static, Result<Entry, Error>> {
        match *self {}
    }

    /// Returns the attributes of an object.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn describe(&self, _: &str) -> Result<Option<Head>, Error> {
        match *self {}
    }

    /// Returns the tags of an object.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn tags(&self, _: &str) -> Result<Option<BTreeMap<String, String>>, Error> {
        match *self {}
    }

    /// Returns an object.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn download(&self, _: &str, _: Option<Range>) -> Result<Option<Download>, Error> {
        match *self {}
    }

    /// Writes nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn upload(
        &self,
        _: &str,
        _: &Attributes,
        _: Option<u64>,
        _: impl Stream<Item = Result<Bytes, Error>> + Send,
    ) -> Result<Uploaded, Error> {
        match *self {}
    }

    /// Copies nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn copy(&self, _: &str, _: &str) -> Result<Option<Head>, Error> {
        match *self {}
    }

    /// Moves nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn rename(&self, _: &str, _: &str) -> Result<Option<Head>, Error> {
        match *self {}
    }

    /// Removes nothing.
    pub async fn remove_all(&self, _: &[String]) -> Deletion {
        match *self {}
    }

    /// Aborts nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn abort_uploads(&self, _: Timestamp) -> Result<u64, Error> {
        match *self {}
    }

    /// Checks nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn check(&self) -> Result<(), Error> {
        match *self {}
    }

    /// Returns a URL to read an object.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn sign_get(&self, _: &str, _: Duration) -> Result<SignedUrl, Error> {
        match *self {}
    }

    /// Signs nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn sign_get_as(&self, _: &str, _: Duration, _: AnswerHeaders) -> Result<SignedUrl, Error> {
        match *self {}
    }

    /// Returns a URL to write an object.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn sign_put(&self, _: &str, _: Duration, _: Option<&str>) -> Result<SignedUrl, Error> {
        match *self {}
    }
}

macro_rules! never {
    ($kind:ident $self:ident, $objects:ident => $call:expr) => {
        match *$self {}
    };
}

forward_objects!(impl[] for S3Objects, by never);
forward_medium!(impl[] for S3Objects, by never);
forward_checksummed!(impl[] for S3Objects, by never);
forward_long_objects!(impl[] for S3Objects, by never);

impl SingleProvider for S3Objects {}

impl Bucket for S3Objects {
    async fn tagged_page(
        &self,
        _: &str,
        _: Option<&str>,
        _: usize,
    ) -> Result<Page<(Listed, StoredTag)>, Failure> {
        match *self {}
    }

    async fn describe(&self, _: &str) -> Result<Option<Head>, Failure> {
        match *self {}
    }

    async fn fetch(&self, _: &str, _: usize) -> Result<Option<Fetched>, Failure> {
        match *self {}
    }

    async fn create_json(&self, _: &str, _: Bytes) -> Result<bool, Failure> {
        match *self {}
    }

    async fn remove_if(&self, _: &str, _: &StoredTag) -> Result<bool, Failure> {
        match *self {}
    }
}

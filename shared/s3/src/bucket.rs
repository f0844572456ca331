//! A bucket of arbitrary objects, for migrations.

use bytes::{Bytes, BytesMut};
use credlink_aws::Error;
use credlink_core::media_type::JSON_TYPE;
use credlink_core::object::{Attributes, Head, StoredTag};
use credlink_ports::migration::bucket::{Bucket, Fetched};
use credlink_ports::{Condition, Failure, Listed, Page, Put};
use futures_util::TryStreamExt as _;

use crate::{Body, S3Objects};

/// Reads a body to its end, or returns `None` if it has more than `limit` bytes.
async fn collect(mut body: Body, limit: usize) -> Result<Option<Bytes>, Error> {
    let mut whole = BytesMut::new();
    while let Some(bytes) = body.try_next().await? {
        whole.extend_from_slice(&bytes);
        if whole.len() > limit {
            return Ok(None);
        }
    }
    Ok(Some(whole.freeze()))
}

impl Bucket for S3Objects {
    async fn tagged_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(Listed, StoredTag)>, Failure> {
        Ok(Box::pin(Self::tagged_page(self, prefix, after, limit)).await?)
    }

    async fn describe(&self, key: &str) -> Result<Option<Head>, Failure> {
        Ok(Box::pin(Self::describe(self, key)).await?)
    }

    async fn fetch(&self, key: &str, limit: usize) -> Result<Option<Fetched>, Failure> {
        let Some(download) = Box::pin(self.download(key, None)).await? else { return Ok(None) };
        let is_longer = usize::try_from(download.head.size).map_or(true, |size| size > limit);
        let body = if is_longer { None } else { collect(download.body, limit).await? };
        Ok(Some(Fetched { head: download.head, body }))
    }

    async fn create_json(&self, key: &str, json: Bytes) -> Result<bool, Failure> {
        let attributes = Attributes { content_type: JSON_TYPE.to_owned(), ..Attributes::default() };
        let put = Box::pin(self.put_if(key, json, &attributes, &Condition::Absent)).await;
        Ok(matches!(put.map_err(Failure::from)?, Put::Stored(_)))
    }

    async fn remove_if(&self, key: &str, tag: &StoredTag) -> Result<bool, Failure> {
        Ok(Box::pin(Self::remove_if(self, key, tag)).await?)
    }
}

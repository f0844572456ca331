//! Sources with records in them, and empty stores, on every engine.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use credlink_core::object::Attributes;
use credlink_s3::{Body, S3Objects};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::records::Legacy;
use crate::buckets;
use crate::engines::{ministack, r2};
use crate::server::Server;

/// Number of records that are written concurrently.
const PARALLEL: usize = 16;

/// A place, as `--from` and `--to` name it.
pub struct Place {
    pub name: String,
    /// The bucket, if the place is one.
    pub bucket: Option<S3Objects>,
    /// The folder, if the place is one.
    pub path: Option<PathBuf>,
    _held: Option<Held>,
}

#[expect(dead_code, reason = "held for as long as the place is")]
enum Held {
    Folder(TempDir),
    Server(Server),
}

/// The variables with which a process finds the engines.
pub fn variables() -> Vec<(&'static str, String)> {
    let text = |text: &str| text.to_owned();
    vec![
        ("STORAGE_ENDPOINT", text(ministack::endpoint())),
        ("STORAGE_REGION", text(ministack::REGION)),
        ("STORAGE_CHECKSUMS", text("supported")),
        ("AWS_ACCESS_KEY_ID", text(ministack::ACCESS_KEY)),
        ("AWS_SECRET_ACCESS_KEY", text(ministack::SECRET)),
        ("AWS_REGION", text(ministack::REGION)),
        ("AWS_EC2_METADATA_DISABLED", text("true")),
        ("R2_ENDPOINT", text(r2::endpoint())),
        ("R2_ACCESS_KEY_ID", text(r2::ACCESS_KEY)),
        ("R2_SECRET_ACCESS_KEY", text(r2::SECRET)),
        // Longer than any pause of a machine that is building at the same time.
        ("STORAGE_TIMEOUT", text("120000")),
    ]
}

impl Place {
    fn folder(prefix: &str, make: impl FnOnce(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = make(folder.path());
        let name = format!("{prefix}{}", path.display());
        Self { name, bucket: None, path: Some(path), _held: Some(Held::Folder(folder)) }
    }

    fn of(name: String, bucket: S3Objects) -> Self {
        Self { name, bucket: Some(bucket), path: None, _held: None }
    }

    /// A folder of files, in nested folders.
    pub fn files(records: &[Legacy]) -> Self {
        Self::folder("dir:", |folder| {
            for (number, record) in records.iter().enumerate() {
                let path = folder.join(format!("{}/{}", number % 7, "deep/".repeat(number % 3)));
                std::fs::create_dir_all(&path).unwrap();
                std::fs::write(path.join(format!("{}.json", record.id)), &record.text).unwrap();
            }
            folder.to_owned()
        })
    }

    /// A dump with one record per line, optionally gzipped.
    pub fn dump(records: &[Legacy], gzipped: bool) -> Self {
        let lines: String = records.iter().map(|record| format!("{}\n", record.text)).collect();
        Self::folder("jsonl:", |folder| {
            let path = folder.join(if gzipped { "dump.jsonl.gz" } else { "dump.jsonl" });
            let bytes = if gzipped {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(lines.as_bytes()).unwrap();
                encoder.finish().unwrap()
            } else {
                lines.into_bytes()
            };
            std::fs::write(&path, bytes).unwrap();
            path
        })
    }

    /// Objects under a prefix of an S3 bucket.
    pub fn s3_objects(runtime: &Runtime, records: &[Legacy]) -> Self {
        let bucket = runtime.block_on(buckets::s3());
        let name = format!("s3://{}/old/proofs", bucket.settings().bucket);
        runtime.block_on(fill(&bucket, records));
        Self::of(name, bucket)
    }

    /// Objects under a prefix of an R2 bucket.
    pub fn r2_objects(runtime: &Runtime, records: &[Legacy]) -> Self {
        let bucket = runtime.block_on(buckets::r2());
        let name = format!("r2://{}/old/proofs", bucket.settings().bucket);
        runtime.block_on(fill(&bucket, records));
        Self::of(name, bucket)
    }

    /// A store in a folder.
    pub fn data_folder() -> Self {
        Self::folder("dir:", |folder| folder.join("data"))
    }

    /// A store in an S3 bucket.
    pub fn s3(runtime: &Runtime) -> Self {
        let bucket = runtime.block_on(buckets::s3());
        Self::of(format!("s3://{}", bucket.settings().bucket), bucket)
    }

    /// A store in an R2 bucket.
    pub fn r2(runtime: &Runtime) -> Self {
        let bucket = runtime.block_on(buckets::r2());
        Self::of(format!("r2://{}", bucket.settings().bucket), bucket)
    }

    /// The API at an address.
    pub fn api(url: &str) -> Self {
        Self { name: format!("credlink:{url}"), bucket: None, path: None, _held: None }
    }

    /// A running CredLink.
    pub fn served() -> Self {
        let server = Server::start();
        let name = format!("credlink:{}", server.url());
        Self { name, bucket: None, path: None, _held: Some(Held::Server(server)) }
    }
}

async fn fill(bucket: &S3Objects, records: &[Legacy]) {
    let attributes = Attributes { content_type: "application/json".to_owned(), ..Attributes::default() };
    let attributes = &attributes;
    stream::iter(records)
        .map(|record| async move {
            let body = Body::whole(record.text.clone().into());
            let key = format!("old/proofs/{}.json", record.id);
            bucket.upload(&key, attributes, None, body).await.unwrap();
        })
        .buffer_unordered(PARALLEL)
        .collect::<()>()
        .await;
}

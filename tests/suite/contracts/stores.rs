//! The stores of objects: memory, a folder, S3 and R2, each with what has to live as long as it.

use credlink_disk::folder::Folder;
use credlink_ports::doubles::MemoryObjects;
use credlink_s3::S3Objects;
use tempfile::TempDir;

use crate::buckets;

pub fn memory() -> ((), MemoryObjects) {
    ((), MemoryObjects::new())
}

pub fn folder() -> (TempDir, Folder) {
    let directory = tempfile::tempdir().unwrap();
    let folder = Folder::open(directory.path()).unwrap();
    (directory, folder)
}

pub async fn s3() -> ((), S3Objects) {
    ((), buckets::s3().await)
}

pub async fn r2() -> ((), S3Objects) {
    ((), buckets::r2().await)
}

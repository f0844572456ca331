//! The uploads of which anything is in the folder, found by looking there and not in the index.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use credlink_core::file::UploadId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use super::QuarantineFolder;

impl QuarantineFolder {
    /// Returns the uploads of which anything is in this folder, each with the time at which a file of it last came or went.
    ///
    /// # Errors
    /// Fails if the file system refuses.
    pub fn remains(&self) -> io::Result<Vec<(Tenant, UploadId, Timestamp)>> {
        let mut remains = Vec::new();
        for folder in folders(&self.0.uploads)? {
            let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
            let tenant = folder.parent().and_then(name).and_then(|name| name.parse().ok());
            let upload = name(&folder).and_then(|name| name.parse().ok());
            // Anything else in the folder is not CredLink's.
            let (Some(tenant), Some(upload)) = (tenant, upload) else { continue };
            match fs::metadata(&folder).and_then(|metadata| metadata.modified()) {
                Ok(changed) => remains.push((tenant, upload, timestamp(changed))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(remains)
    }

    /// Removes everything that this folder has of an upload that no index knows.
    ///
    /// # Errors
    /// Fails if the file system refuses.
    pub fn remove_ownerless(&self, tenant: &Tenant, upload: &UploadId) -> io::Result<()> {
        self.0.remove_folder(&self.0.folder_of(tenant, upload))
    }
}

/// Returns the files of requests that were under way when the process ended.
pub(super) fn partials(uploads: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for upload in folders(uploads)? {
        for file in fs::read_dir(upload)? {
            let file = file?;
            if file.file_name().to_string_lossy().starts_with("put-") {
                found.push(file.path());
            }
        }
    }
    Ok(found)
}

/// Returns the folders of uploads.
fn folders(uploads: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for tenant in fs::read_dir(uploads)? {
        let tenant = tenant?.path();
        if !tenant.is_dir() {
            continue;
        }
        for upload in fs::read_dir(tenant)? {
            let upload = upload?.path();
            if upload.is_dir() {
                found.push(upload);
            }
        }
    }
    Ok(found)
}

/// Returns a time of the file system. One before 1970 is taken as later than any other, so that nothing seems old.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok();
    let milliseconds = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    Timestamp::from_milliseconds(milliseconds.unwrap_or(i64::MAX))
}

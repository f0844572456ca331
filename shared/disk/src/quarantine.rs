//! The quarantine of one machine: a folder of files to which the server writes what clients upload.
//!
//! An upload has a folder of its own, `uploads/{tenant}/{upload id}/`, with these files:
//!
//! | file | content |
//! |---|---|
//! | `bytes` | all bytes, once they are there |
//! | `put-{n}.partial` | the bytes of a `PUT` that is under way, or of a part that is sent again |
//! | `parts.partial` | the bytes of all parts, each at its place |
//! | `{number}.part` | the length of a part that has arrived, in decimal digits |
//! | `{number}.again` | the bytes of a part that has arrived again, which count in place of the earlier ones |
//! | `ordered.partial` | the first bytes of a file that is sent in order ([`Appending`]) |
//! | `ordered.length` | the number of those that are durable, in decimal digits |
//! | `ordered.note` | what the client said of that file, for it to ask for |
//!
//! * **A file appears when its bytes are durable.** `bytes` is made by a link, which never replaces another file, or by
//!   the rename of `parts.partial`, so that joining copies nothing.
//! * **A part that is sent again** goes to a file of its own, which is renamed when it is whole: if it breaks off, the
//!   earlier one counts. It is copied to its place when the parts are joined.
//! * **One writer at a time**: the folder belongs to one process, and a part that is being sent is refused to others.

mod appending;
mod incoming;
mod remains;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use credlink_core::file::UploadId;
use credlink_core::link::LinkKeys;
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::{Arrived, Found, Part, Plan};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::{Failure, Quarantine, SignedPut};

use crate::failure::{from_io, off_the_executor_with};
use crate::private::{self, make_one, sync_directory};
use crate::reserve::Reserve;
use crate::tracked::{self, TrackedFile};

pub use appending::Appending;
pub use incoming::{Incoming, NotReceived};
use remains::partials;

/// The name by which operators know this place.
const NAME: &str = "uploads folder";
/// The folder of all uploads.
const UPLOADS: &str = "uploads";
/// The file of all bytes.
const BYTES: &str = "bytes";
/// The file of all parts.
const PARTS: &str = "parts.partial";
/// The file of the bytes that are sent in order.
const ORDERED: &str = "ordered.partial";
/// The file of their number.
const ORDERED_LENGTH: &str = "ordered.length";
/// The file of what the client said of them.
const ORDERED_NOTE: &str = "ordered.note";
/// The ID of every multipart upload: an upload has one folder.
const MULTIPART: &str = "folder";

/// The most attempts to remove the folder of an upload.
const REMOVALS: u32 = 10;

/// The quarantine in a data folder. Clones share it.
#[derive(Clone, Debug)]
pub struct QuarantineFolder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uploads: PathBuf,
    /// The URL of the server, to which clients send bytes.
    public_url: String,
    keys: LinkKeys,
    reserve: Reserve,
    /// The number of the next `PUT`.
    puts: AtomicU64,
    /// The parts that are being sent. Part 0 stands for bytes in order.
    sending: Mutex<HashSet<(UploadId, u32)>>,
    /// Held while parts are joined.
    joining: Mutex<()>,
}

impl QuarantineFolder {
    /// Opens the quarantine in `folder`, a data folder that the caller has locked, and makes it if there is none. Clients
    /// send bytes to `public_url`, at addresses that `keys` sign.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn open(folder: &Path, public_url: String, keys: LinkKeys, reserve: Reserve) -> io::Result<Self> {
        let uploads = folder.join(UPLOADS);
        make_one(&uploads)?;
        private::keep_private(&uploads);
        sync_directory(folder)?;
        // Whatever was under way ended with the process.
        for partial in partials(&uploads)? {
            tracked::remove(&partial)?;
        }
        Ok(Self(Arc::new(Inner {
            uploads,
            public_url,
            keys,
            reserve,
            puts: AtomicU64::new(0),
            sending: Mutex::default(),
            joining: Mutex::default(),
        })))
    }

    /// Begins to receive the bytes of `upload`: one part, or all. The caller has checked the address, the state of the
    /// upload and the length.
    ///
    /// # Errors
    /// [`NotReceived`] lists them.
    pub fn receive(&self, upload: &UploadRow, part: Option<&Part>) -> Result<Incoming, NotReceived> {
        Incoming::begin(&self.0, upload, part)
    }

    /// Begins to receive bytes of `upload`, whose bytes are sent in order, at `offset`. Nobody else appends meanwhile. If the
    /// request is `exact`, its bytes count only once all of them are there.
    ///
    /// # Errors
    /// [`NotReceived`] lists them.
    pub fn append(&self, upload: &UploadRow, offset: u64, is_exact: bool) -> Result<Appending, NotReceived> {
        Appending::begin(&self.0, upload, offset, is_exact)
    }

    /// Returns the number of bytes from the beginning of `upload` that are durable.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn beginning(&self, upload: &UploadRow) -> io::Result<u64> {
        self.0.beginning(upload)
    }

    /// Keeps `note` with an upload whose bytes are sent in order, until its bytes are removed.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn keep_note(&self, upload: &UploadRow, note: &[u8]) -> io::Result<()> {
        self.0.reserve.admit()?;
        private::write(&self.0.make_folder(upload)?.join(ORDERED_NOTE), note)
    }

    /// Returns the note of an upload, if it has one.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn note(&self, upload: &UploadRow) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.folder(upload).join(ORDERED_NOTE)) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    fn folder(&self, upload: &UploadRow) -> PathBuf {
        self.folder_of(&upload.tenant, &upload.id)
    }

    fn folder_of(&self, tenant: &Tenant, upload: &UploadId) -> PathBuf {
        self.uploads.join(tenant.as_str()).join(upload.to_string())
    }

    /// Makes the folder of an upload, durably.
    fn make_folder(&self, upload: &UploadRow) -> io::Result<PathBuf> {
        let folder = self.folder(upload);
        if folder.is_dir() {
            return Ok(folder);
        }
        let tenant = self.uploads.join(upload.tenant.as_str());
        make_one(&tenant)?;
        sync_directory(&self.uploads)?;
        make_one(&folder)?;
        sync_directory(&tenant)?;
        Ok(folder)
    }

    fn found(&self, upload: &UploadRow) -> io::Result<Found> {
        let folder = self.folder(upload);
        match fs::metadata(folder.join(BYTES)) {
            Ok(file) => return Ok(Found::Whole(file.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if upload.multipart.is_none() {
            let length = self.beginning(upload)?;
            return Ok(if length > 0 { Found::Beginning(length) } else { Found::Nothing });
        }
        let mut arrived = Vec::new();
        let files = match fs::read_dir(&folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // An unmounted disk is a failure, and not an upload of which nothing has arrived.
                fs::metadata(&self.uploads)?;
                return Ok(Found::Nothing);
            }
            Err(error) => return Err(error),
        };
        for file in files {
            let Some(number) = number_of(&file?, ".part") else { continue };
            let size = match fs::read_to_string(part_path(&folder, number)) {
                Ok(digits) => digits.parse().unwrap_or(0),
                // The parts were joined, or the upload was removed, meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            arrived.push(Arrived { number, size });
        }
        arrived.sort_unstable_by_key(|part| part.number);
        Ok(if arrived.is_empty() { Found::Nothing } else { Found::Parts(arrived) })
    }

    fn beginning(&self, upload: &UploadRow) -> io::Result<u64> {
        let folder = self.folder(upload);
        match fs::metadata(folder.join(BYTES)) {
            Ok(file) => return Ok(file.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match fs::read_to_string(folder.join(ORDERED_LENGTH)) {
            // The last byte counts once all of them have their place: the request that sends it again puts them there.
            Ok(digits) => Ok(digits.parse().unwrap_or(0).min(upload.size.saturating_sub(1))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Waits until no parts are joined, and keeps it so.
    fn joining(&self) -> MutexGuard<'_, ()> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, upload: &UploadRow) -> io::Result<()> {
        let folder = self.folder(upload);
        let (bytes, parts) = (folder.join(BYTES), folder.join(PARTS));
        let _joining = self.joining();
        if !bytes.try_exists()? {
            put_in_place(&folder, Plan::of(upload.size))?;
            let length = fs::metadata(&parts)?.len();
            if length != upload.size {
                let wrong = format!("the parts have {length} bytes together, and not {}", upload.size);
                return Err(io::Error::new(io::ErrorKind::InvalidData, wrong));
            }
            private::rename(&parts, &bytes)?;
            sync_directory(&folder)?;
        }
        for number in 1..=Plan::of(upload.size).count() {
            remove_file(&part_path(&folder, number))?;
            remove_file(&again_path(&folder, number))?;
        }
        Ok(())
    }

    fn read(&self, upload: &UploadRow, range: &Range<u64>) -> io::Result<Option<Bytes>> {
        use std::io::{Read as _, Seek as _};
        let mut file = match private::open_to_read(&self.folder(upload).join(BYTES)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::metadata(&self.uploads)?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        file.seek(io::SeekFrom::Start(range.start))?;
        file.read_exact(&mut bytes)?;
        Ok(Some(bytes.into()))
    }

    fn remove(&self, upload: &UploadRow) -> io::Result<()> {
        self.remove_folder(&self.folder(upload))
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        for attempt in 1.. {
            let files = match fs::read_dir(folder) {
                Ok(files) => files,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            for file in files {
                remove_file(&file?.path())?;
            }
            match fs::remove_dir(folder) {
                // A request that is just breaking off has made one more file.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && attempt < REMOVALS => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => break,
            }
        }
        folder.parent().map_or(Ok(()), sync_directory)
    }

    fn signed(&self, upload: &UploadRow, part: Option<u32>, length: u64, until: Timestamp) -> SignedPut {
        let query = self.keys.sign_bytes(&upload.id, part, length, until);
        SignedPut {
            url: format!("{}/v1/uploads/{}/bytes?{query}", self.public_url, upload.id),
            headers: vec![("content-length", length.to_string())],
            expires: until,
        }
    }
}

fn part_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number}.part"))
}

fn again_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number}.again"))
}

/// Returns the number of the part that a file with this ending belongs to.
fn number_of(file: &fs::DirEntry, ending: &str) -> Option<u32> {
    file.file_name().to_string_lossy().strip_suffix(ending)?.parse().ok()
}

/// Copies the parts that have arrived again to their places. If the process ends in between, the next one copies them once
/// more.
fn put_in_place(folder: &Path, plan: Plan) -> io::Result<()> {
    let mut parts: Option<TrackedFile> = None;
    for file in fs::read_dir(folder)? {
        let file = file?;
        let Some(part) = number_of(&file, ".again").and_then(|number| plan.part(number)) else { continue };
        let content = fs::read(file.path())?;
        if content.len() as u64 != part.length() {
            let wrong =
                format!("{} has {} bytes, and not {}", file.path().display(), content.len(), part.length());
            return Err(io::Error::new(io::ErrorKind::InvalidData, wrong));
        }
        let opened = match parts.take() {
            Some(opened) => opened,
            None => TrackedFile::open(fs::OpenOptions::new().write(true), &folder.join(PARTS))?,
        };
        opened.write_at(part.range.start, &content)?;
        parts = Some(opened);
    }
    parts.map_or(Ok(()), |parts| parts.sync())
}

/// Removes a file, if there is one.
fn remove_file(path: &Path) -> io::Result<()> {
    match tracked::remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Quarantine for QuarantineFolder {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn sign_put(&self, upload: &UploadRow, until: Timestamp) -> Result<SignedPut, Failure> {
        Ok(self.0.signed(upload, None, upload.size, until))
    }

    async fn begin(&self, upload: &UploadRow) -> Result<String, Failure> {
        let row = upload.clone();
        off_the_executor_with(NAME, &self.0, move |inner| {
            let made = inner.make_folder(&row);
            made.map_err(|error| from_io(NAME, "making the folder of an upload", &error))
        })
        .await?;
        Ok(MULTIPART.to_owned())
    }

    async fn sign_part(
        &self,
        upload: &UploadRow,
        part: &Part,
        until: Timestamp,
    ) -> Result<SignedPut, Failure> {
        Ok(self.0.signed(upload, Some(part.number), part.length(), until))
    }

    async fn found(&self, upload: &UploadRow) -> Result<Found, Failure> {
        self.with(upload, "looking for the bytes of an upload", Inner::found).await
    }

    async fn join(&self, upload: &UploadRow) -> Result<(), Failure> {
        self.with(upload, "joining the parts of an upload", Inner::join).await
    }

    async fn read(&self, upload: &UploadRow, range: Range<u64>) -> Result<Option<Bytes>, Failure> {
        self.with(upload, "reading an upload", move |inner, row| inner.read(row, &range)).await
    }

    async fn abort(&self, _upload: &UploadRow, _multipart: &str) -> Result<(), Failure> {
        // Every multipart upload of an upload is the same one.
        Ok(())
    }

    async fn remove(&self, upload: &UploadRow) -> Result<(), Failure> {
        self.with(upload, "removing an upload", Inner::remove).await
    }
}

impl QuarantineFolder {
    async fn with<T: Send + 'static>(
        &self,
        upload: &UploadRow,
        doing: &'static str,
        work: impl FnOnce(&Inner, &UploadRow) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let row = upload.clone();
        off_the_executor_with(NAME, &self.0, move |inner| {
            work(inner, &row).map_err(|error| from_io(NAME, doing, &error))
        })
        .await
    }

    /// Returns the number of the next `PUT`.
    fn next_put(inner: &Inner) -> u64 {
        inner.puts.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes a part for one request. Returns `false` if another one is sending it.
    fn take_part(inner: &Inner, upload: UploadId, number: u32) -> bool {
        inner.sending.lock().unwrap_or_else(PoisonError::into_inner).insert((upload, number))
    }

    fn give_part(inner: &Inner, upload: UploadId, number: u32) {
        inner.sending.lock().unwrap_or_else(PoisonError::into_inner).remove(&(upload, number));
    }
}

//! L3: files of this machine, such as a function's own disk.
//!
//! Each entry is one file, named by the SHA-256 of its key. It is written under another name and then renamed, so that
//! a reader sees all of it or nothing. Nothing is synced: a file that a crash left half-written is detected when it is
//! read, and removed. A folder that is full or not writable is an empty cache; that is logged once.
//!
//! This process remembers when it was told to forget a key, and uses no file whose load began before. To do so it need
//! neither find the file nor be able to remove it. Two processes may share a folder. A key that one of them was told to
//! forget is removed for both; if the other was just loading it, the old entry may come back for that process, for the
//! rest of its lifetime.
//!
//! The folder holds private proofs as well: the folder and its files are accessible to the user alone.

mod space;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credlink_core::hash::Digest;
use credlink_core::object::{ObjectKey, Verified};
use credlink_core::time::Timestamp;
use credlink_disk::private;
use credlink_ports::LayerStats;

use crate::frame;
use crate::held::Held;
use crate::lifetime::{AgeClock, Lifetimes, left};
use crate::stripes::Stripes;
use crate::tally::Tally;
use space::Space;

/// The suffix of files that are being written.
const UNFINISHED: &str = ".part";

/// The location of the folder, and its maximum size.
#[derive(Debug, Clone)]
pub struct FolderSettings {
    /// The folder. It is made on first use.
    pub path: PathBuf,
    /// The maximum size of its content in bytes, counted in whole blocks of 4,096 for each file. No single entry takes
    /// more than a quarter.
    pub bytes: u64,
}

/// The layer over a folder.
#[derive(Debug)]
pub(super) struct FolderLayer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: FolderSettings,
    lifetimes: Lifetimes,
    clock: AgeClock,
    tally: Tally,
    /// For each stripe, the time at which one of its keys was last forgotten, in milliseconds since 1970.
    forgotten: Stripes,
    space: Mutex<Space>,
    /// `true` if the last operation failed.
    failing: AtomicBool,
    written: AtomicU64,
}

impl FolderLayer {
    pub(super) fn new(settings: FolderSettings, lifetimes: Lifetimes, clock: AgeClock) -> Self {
        let space = Mutex::new(Space::new(settings.bytes));
        Self(Arc::new(Inner {
            settings,
            lifetimes,
            clock,
            tally: Tally::of("l3"),
            forgotten: Stripes::default(),
            space,
            failing: AtomicBool::new(false),
            written: AtomicU64::new(0),
        }))
    }

    /// Reads the entry of `key`.
    pub(super) async fn read(&self, key: &ObjectKey) -> Option<Held> {
        let (inner, key) = (self.0.clone(), key.clone());
        let read = move || {
            let held = inner.read(&key).unwrap_or_else(|error| {
                inner.failed("read", &error);
                None
            });
            if held.is_some() {
                inner.tally.hit()
            } else {
                inner.tally.miss()
            }
            held
        };
        tokio::task::spawn_blocking(read).await.ok().flatten()
    }

    /// Stores `object`, whose load began at `loaded`.
    pub(super) async fn fill(&self, key: &ObjectKey, object: &Verified, loaded: Timestamp) {
        let Some(bytes) = frame::write(key, object, loaded) else { return };
        let (inner, key) = (self.0.clone(), key.clone());
        let write = move || match inner.write(&key, &bytes, loaded) {
            Ok(()) => inner.failing.store(false, Ordering::Relaxed),
            Err(error) => inner.failed("written", &error),
        };
        // A panic has been reported already, and costs no more than a hit.
        let _ = tokio::task::spawn_blocking(write).await;
    }

    /// Forgets `key`: at once for this process, and for others when the future has removed the file. `now` must not be
    /// before the start of any load of the forgotten object.
    pub(super) fn forget(&self, key: &ObjectKey, now: Timestamp) -> impl Future<Output = ()> + use<> {
        self.0.forgotten.of(key).fetch_max(milliseconds(now) + 1, Ordering::SeqCst);
        let (inner, name) = (self.0.clone(), name(key));
        async move {
            let remove = move || {
                inner.remove(&name).unwrap_or_else(|error| inner.failed("removed from", &error));
            };
            let _ = tokio::task::spawn_blocking(remove).await;
        }
    }

    /// Returns the statistics of the layer. The size of its content is known once something was written.
    pub(super) fn layer(&self) -> LayerStats {
        self.0.tally.stats(self.0.space().held())
    }
}

impl Inner {
    fn read(&self, key: &ObjectKey) -> io::Result<Option<Held>> {
        let name = name(key);
        let file = match private::open_to_read(&self.path(&name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let mut bytes = Vec::new();
        if length <= self.largest() {
            bytes.reserve_exact(usize::try_from(length).unwrap_or_default());
            file.take(length).read_to_end(&mut bytes)?;
        }
        let (object, loaded) = match frame::read(key, bytes.into()) {
            Ok(read) => read,
            Err(why) => {
                tracing::warn!(cache.layer = "l3", object.key = %key, %why, "a damaged entry is removed");
                self.tally.error();
                self.remove(&name)?;
                return Ok(None);
            }
        };
        let lifetime = self.lifetimes.of(key, Some(&object));
        if self.is_forgotten(key, loaded) || left(lifetime, loaded, self.clock.now()).is_none() {
            self.remove(&name)?;
            return Ok(None);
        }
        self.space().touch(&name);
        Ok(Some(Held { object: Some(Arc::new(object)), loaded }))
    }

    fn write(&self, key: &ObjectKey, bytes: &[u8], loaded: Timestamp) -> io::Result<()> {
        let length = bytes.len() as u64;
        if length > self.largest() || self.is_forgotten(key, loaded) {
            return Ok(());
        }
        let name = name(key);
        let too_many = {
            let mut space = self.space();
            if space.is_unknown() {
                make_private(&self.settings.path)?;
                space.scan(&self.settings.path)?;
            }
            space.make_room(&name, length)
        };
        for name in &too_many {
            remove_file(&self.path(name))?;
        }
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.path(&format!("{name}-{}-{number}{UNFINISHED}", std::process::id()));
        let written = write_file(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, self.path(&name)));
        if written.is_err() {
            self.space().forget(&name);
            remove_file(&unfinished)?;
        }
        written
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.space().forget(name);
        remove_file(&self.path(name))
    }

    /// Returns `true` if a load that began at `loaded` began before `key` was forgotten.
    fn is_forgotten(&self, key: &ObjectKey, loaded: Timestamp) -> bool {
        milliseconds(loaded) < self.forgotten.of(key).load(Ordering::SeqCst)
    }

    fn largest(&self) -> u64 {
        self.settings.bytes / 4
    }

    fn path(&self, name: &str) -> PathBuf {
        self.settings.path.join(name)
    }

    fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, what: &str, error: &io::Error) {
        self.tally.error();
        if !self.failing.swap(true, Ordering::Relaxed) {
            let folder = self.settings.path.display();
            tracing::warn!(cache.layer = "l3", %folder, %error, "the cache's folder cannot be {what}");
        }
    }
}

/// Returns the file name of the entry of `key`. Keys themselves are longer than some file systems allow, and may differ
/// in case alone.
fn name(key: &ObjectKey) -> String {
    Digest::of(key.to_string().as_bytes()).to_string()
}

fn milliseconds(instant: Timestamp) -> u64 {
    instant.milliseconds().unsigned_abs()
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

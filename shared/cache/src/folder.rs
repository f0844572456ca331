//! L3: files of this machine, such as a function's own disk.
//!
//! One file an entry, named by the SHA-256 of its key, written beside its place and moved there by a rename, so that a
//! reader sees all of it or nothing. Nothing is synced: what a crash leaves half-written is noticed on the way out, and
//! removed. A folder that is full or may not be written to is a cache that has nothing; that is logged once.
//!
//! This process remembers when it was told to forget a key, and uses no file whose load began before: it need not find
//! the file for that, nor be able to remove it. Two processes may share a folder. What one of them was told to forget
//! is removed for both; what the other one was just loading may come back for it, for the rest of its lifetime.
//!
//! The folder holds private proofs as well: files and folder are the user's alone.

mod space;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credlink_core::hash::Digest;
use credlink_core::object::{ObjectKey, Verified};
use credlink_core::time::Timestamp;
use credlink_ports::LayerStats;

use credlink_disk::private;
use space::Space;

use super::lifetime::{AgeClock, Lifetimes, left};
use super::stripes::Stripes;
use super::tally::Tally;
use super::{Held, frame};

/// Ends the names of files that are being written.
const UNFINISHED: &str = ".part";

/// Where the folder is, and how large it may become.
#[derive(Debug, Clone)]
pub struct FolderSettings {
    /// The folder. It is made when it is first used.
    pub path: PathBuf,
    /// Most bytes in it, in whole blocks of 4,096 a file. No single entry takes more than a quarter.
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
    /// When a key of the stripe was forgotten last, in milliseconds since 1970.
    forgotten: Stripes,
    space: Mutex<Space>,
    /// Whether the last operation failed.
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

    /// Reads what is there.
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

    /// Keeps `object`, whose load began at `loaded`.
    pub(super) async fn fill(&self, key: &ObjectKey, object: &Verified, loaded: Timestamp) {
        let Some(bytes) = frame::write(key, object, loaded) else { return };
        let (inner, key) = (self.0.clone(), key.clone());
        let write = move || match inner.write(&key, &bytes, loaded) {
            Ok(()) => inner.failing.store(false, Ordering::Relaxed),
            Err(error) => inner.failed("written", &error),
        };
        // A panic would have been reported already, and costs a hit.
        let _ = tokio::task::spawn_blocking(write).await;
    }

    /// Forgets `key`: at once for this process, and for others when the future has removed the file. `now` is not
    /// before the beginning of any load of what is forgotten.
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

    /// What it has seen. What it holds is known once something was written.
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

    /// Whether a load that began then began before `key` was forgotten.
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

/// The name of the entry of `key`: keys are longer than some file systems' names, and differ in case.
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

//! Changes of a folder's objects: written under a temporary name, made durable by the journal, and then made in the
//! objects' files.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::media_type::TOMBSTONE_TYPE;
use credlink_ports::{Failure, FailureKind, ObjectWrite, Put};

use super::file;
use super::journal::{Change, Fault, Passage};
use super::layout::ObjectPath;
use super::settle::{Unsettled, Written};
use super::temporary::Temporary;
use super::{Inner, KEY_STRIPES, NAME, stripe, tag};
use crate::failure::from_io;
use crate::private::{self, sync_directory};
use crate::reserve::is_full;
use crate::tracked;

/// The shortest interval at which the journal gives its room up while the reserve is spent.
const AGAIN: Duration = Duration::from_secs(1);

impl Inner {
    /// Writes objects in order, each if its condition holds, and none after the first whose condition does not. Returns
    /// the outcomes up to there. The keys are different.
    pub(super) fn put(&self, writes: &[ObjectWrite]) -> Result<Vec<Put>, Failure> {
        let texts: Vec<String> = writes.iter().map(|write| write.key.to_string()).collect();
        let Some((key, condition)) = texts.first().zip(writes.first().map(|write| &write.condition)) else {
            return Ok(Vec::new());
        };
        self.mend().map_err(|error| unwritten(key, &error))?;
        // A condition that fails is noticed before anything is written. It counts only under the lock, since the file
        // that was seen may be a write that is not durable yet.
        if !self.holds(key, condition)? {
            let _alone = self.lock([key.as_str()]);
            let _passage = self.enter(key)?;
            if !self.holds(key, condition)? {
                return Ok(vec![Put::Lost]);
            }
        }
        let mut prepared = Vec::with_capacity(writes.len());
        for (key, write) in texts.iter().zip(writes) {
            prepared.push(self.prepare(key, write)?);
        }
        let _alone = self.lock(texts.iter().map(String::as_str));
        let passage = self.enter(key)?;
        let mut held = 0;
        for (key, write) in texts.iter().zip(writes) {
            if !self.holds(key, &write.condition)? {
                break;
            }
            held += 1;
        }
        let mut puts = Vec::with_capacity(writes.len());
        prepared.truncate(held);
        if !prepared.is_empty() {
            let changes = prepared.iter().zip(writes).map(|(prepared, write)| prepared.change(write));
            let changes = changes.collect();
            puts.extend(prepared.iter().map(|prepared| Put::Stored(tag(&prepared.sha256.to_string()))));
            self.make_all(passage, prepared, changes)?;
        }
        if held < writes.len() {
            puts.push(Put::Lost);
        }
        Ok(puts)
    }

    /// Returns the right to decide about the object under `key`, whose lock the caller holds.
    pub(super) fn enter(&self, key: &str) -> Result<Passage<'_>, Failure> {
        self.journal.enter().map_err(|fault| unwritten(key, &fault.into()))
    }

    /// Waits for the locks of these keys.
    pub(super) fn lock<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Vec<MutexGuard<'_, ()>> {
        // Everybody takes them in the same order.
        let stripes: BTreeSet<usize> = keys.into_iter().map(|key| stripe(key, KEY_STRIPES)).collect();
        stripes
            .into_iter()
            .map(|stripe| self.keys[stripe].lock().unwrap_or_else(PoisonError::into_inner))
            .collect()
    }

    /// Writes the file of an object under a temporary name.
    fn prepare(&self, key: &str, write: &ObjectWrite) -> Result<Prepared, Failure> {
        let (header, sha256) =
            file::header(key, &write.body, &write.attributes).ok_or_else(|| too_many_attributes(key))?;
        let place = ObjectPath::of(key);
        let written = || self.write(&place, &[&header, &write.body]);
        let written = || match written() {
            // The journal may have what room there is.
            Err(error) if is_full(&error) && self.journal.empty()? => written(),
            done => done,
        };
        let makes_room = write.attributes.content_type == TOMBSTONE_TYPE;
        let written = if makes_room {
            self.reserve.lent(written)
        } else {
            self.admit().and_then(|()| self.reserve.noted(written()))
        };
        let (to, temporary, written) = written.map_err(|error| unwritten(key, &error))?;
        Ok(Prepared {
            key: key.to_owned(),
            header: header.into(),
            sha256,
            to,
            temporary,
            written,
            makes_room,
        })
    }

    /// Makes prepared writes durable, and then visible, in their order.
    fn make_all(
        &self,
        passage: Passage<'_>,
        prepared: Vec<Prepared>,
        changes: Vec<Change>,
    ) -> Result<(), Failure> {
        match passage.commit(changes) {
            Ok(journaled) => {
                let mut made = Unsettled::default();
                let mut prepared = prepared.into_iter();
                while let Some(next) = prepared.next() {
                    if let Err(error) = self.rename(&next) {
                        // If it is unknown whether the name has changed, the journal is mended.
                        if next.temporary.is_there() {
                            let rest: Vec<_> = prepared.collect();
                            let unmade = [&next].into_iter().chain(&rest).map(|prepared| &*prepared.key);
                            let _ = journaled.made_without(made, unmade);
                        }
                        return Err(unwritten(&next.key, &error));
                    }
                    made.add(&next.to, Some(next.written));
                }
                journaled.made(made);
                return Ok(());
            }
            Err(Fault::Unjournaled) => {}
            Err(fault) => return Err(journal_failed(&fault.into())),
        }
        self.make_without_journal(passage, &prepared)
    }

    /// Makes prepared writes durable by themselves, and then visible, in their order.
    pub(super) fn make_without_journal(
        &self,
        passage: Passage<'_>,
        prepared: &[Prepared],
    ) -> Result<(), Failure> {
        drop(passage);
        // No journal must replay an older change.
        self.journal.empty().map_err(|error| journal_failed(&error))?;
        for prepared in prepared {
            let sync = || self.journal.settle().sync(&prepared.written);
            let synced =
                if prepared.makes_room { self.reserve.lent(sync) } else { self.reserve.noted(sync()) };
            synced.map_err(|error| unwritten(&prepared.key, &error))?;
        }
        prepared.iter().try_for_each(|prepared| {
            let renamed = self.rename(prepared).and_then(|()| sync_directory(prepared.directory()));
            renamed.map_err(|error| unwritten(&prepared.key, &error))
        })
    }

    /// Gives a prepared file its name.
    fn rename(&self, prepared: &Prepared) -> io::Result<()> {
        let listings = self.listings(prepared.directory());
        let _unlisted = listings.read().unwrap_or_else(PoisonError::into_inner);
        let rename = || prepared.temporary.rename(&prepared.to);
        let renamed = if prepared.makes_room { self.reserve.lent(rename) } else { rename() };
        renamed.inspect_err(|_| self.doubt(&ObjectPath::of(&prepared.key)))
    }

    pub(super) fn delete(&self, key: &str) -> Result<(), Failure> {
        let failed = |error: io::Error| from_io(NAME, &format!("deleting {key}"), &error);
        self.mend().map_err(failed)?;
        let path = self.path(&ObjectPath::of(key));
        let directory = path.parent().unwrap_or(&self.objects);
        let is_there = || match fs::symlink_metadata(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        let _alone = self.lock([key]);
        let passage = self.journal.enter().map_err(|fault| failed(fault.into()))?;
        if !is_there().map_err(failed)? {
            return fs::metadata(&self.objects).map(drop).map_err(failed);
        }
        let remove = || {
            let _unlisted = self.listings(directory).read().unwrap_or_else(PoisonError::into_inner);
            self.reserve.lent(|| tracked::remove(&path))
        };
        match passage.commit(vec![Change::Delete { key: key.to_owned() }]) {
            Ok(journaled) => {
                let mut made = Unsettled::default();
                if let Err(error) = remove() {
                    // If it is unknown whether the file is gone, the journal is mended.
                    if is_there().is_ok_and(|is_there| is_there) {
                        let _ = journaled.made_without(made, [key].into_iter());
                    }
                    return Err(failed(error));
                }
                made.add(&path, None);
                journaled.made(made);
                return Ok(());
            }
            Err(Fault::Unjournaled) => {}
            Err(fault) => return Err(failed(fault.into())),
        }
        drop(passage);
        self.journal.empty().map_err(failed)?;
        remove().and_then(|()| sync_directory(directory)).map_err(failed)
    }

    /// Writes a file that is to be renamed to the path that is returned with it.
    fn write(&self, place: &ObjectPath, parts: &[&[u8]]) -> io::Result<(PathBuf, Temporary, Written)> {
        let directory = self.shard(place)?;
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let (temporary, file) = Temporary::write(&self.temporary, number, parts)?;
        Ok((directory.join(&place.name), temporary, self.journal.settle().written(file)?))
    }

    /// Admits a write that does not make room. If the reserve is spent, the journal gives up its room too, and the
    /// reserve is made again once there is enough.
    pub(super) fn admit(&self) -> io::Result<()> {
        let admitted = self.reserve.admit();
        if admitted.is_err() {
            let mut emptied = self.emptied.lock().unwrap_or_else(PoisonError::into_inner);
            if emptied.is_none_or(|emptied| emptied.elapsed() >= AGAIN) {
                *emptied = Some(Instant::now());
                drop(emptied);
                self.journal.empty()?;
            }
        }
        admitted
    }

    /// Mends the journal, if it has failed.
    pub(super) fn mend(&self) -> io::Result<()> {
        self.journal.mend(|key: &str, content: Option<&[u8]>, unsettled: &mut Unsettled| {
            self.make(key, content, unsettled)
        })
    }

    /// Makes a change of the journal in the object's file, which is not synced.
    pub(super) fn make(
        &self,
        key: &str,
        content: Option<&[u8]>,
        unsettled: &mut Unsettled,
    ) -> io::Result<()> {
        let place = ObjectPath::of(key);
        let make = || match content {
            Some(content) => {
                let (to, temporary, written) = self.write(&place, &[content])?;
                temporary.rename(&to)?;
                Ok(Some(written))
            }
            None => match tracked::remove(&self.path(&place)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                removed => removed.map(|()| None),
            },
        };
        let path = self.path(&place);
        let made = self.reserve.lent(|| match make() {
            // Somebody has removed the directory by hand.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.doubt(&place);
                make()
            }
            made => made,
        });
        let made = made.map_err(|error| {
            let what =
                format!("{key} is in the journal, and cannot be changed in {}: {error}", path.display());
            io::Error::new(error.kind(), what)
        })?;
        unsettled.add(&path, made);
        Ok(())
    }

    /// Returns `true` if a change of the journal is made in the object's file.
    pub(super) fn is_made(&self, key: &str, content: Option<&[u8]>) -> io::Result<bool> {
        let mut found = Vec::new();
        match private::open_to_read(&self.path(&ObjectPath::of(key))) {
            Ok(mut file) => file.read_to_end(&mut found).map(|_| content == Some(&*found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(content.is_none()),
            Err(error) => Err(error),
        }
    }
}

/// A write whose file has a temporary name.
pub(super) struct Prepared {
    pub(super) key: String,
    /// The header as the journal repeats it.
    pub(super) header: Bytes,
    pub(super) sha256: Digest,
    /// The path of the object's file.
    pub(super) to: PathBuf,
    pub(super) temporary: Temporary,
    pub(super) written: Written,
    /// `true` if the write may use the reserve.
    pub(super) makes_room: bool,
}

impl Prepared {
    /// Returns the directory of the object's file.
    fn directory(&self) -> &Path {
        self.to.parent().unwrap_or(&self.to)
    }

    fn change(&self, write: &ObjectWrite) -> Change {
        Change::Put { key: self.key.clone(), header: self.header.clone(), body: write.body.clone() }
    }
}

/// Returns the refusal of attributes that fit no header.
pub(super) fn too_many_attributes(key: &str) -> Failure {
    let message = format!("the attributes of {key} need more than {} bytes", file::MAX_HEADER_BYTES);
    Failure { provider: NAME, kind: FailureKind::Damaged, message }
}

pub(super) fn unwritten(key: &str, error: &io::Error) -> Failure {
    from_io(NAME, &format!("writing {key}"), error)
}

fn journal_failed(error: &io::Error) -> Failure {
    from_io(NAME, "writing to the journal", error)
}

//! Replays: what the journal holds is made in the objects' files once more, after a crash and after a failure.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::segment::{End, Found, Segment, SegmentError};
use super::writing::Slot;
use super::{Broken, Fault, JOURNAL, Journal, Shared, named};
use crate::folder::settle::Unsettled;
use crate::reserve::is_full;

/// The shortest interval between two attempts to mend the journal.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

impl Journal {
    /// Makes every change in the journal in its file again, by calling `make` with the object's key and its file's
    /// content (or `None` if it was removed), and empties the journal. The files are written anew whatever they hold: if
    /// a sync has failed, their content may be in memory only.
    ///
    /// # Errors
    /// Returns an error if the journal is damaged, or if the file system refuses. The journal is then as it was.
    pub(in crate::folder) fn replay(&self, make: impl Make) -> io::Result<()> {
        let _alone = self.shared.alone();
        let changes = self.shared.replay(None, make)?;
        self.shared.state().is_replayed = true;
        if changes > 0 {
            tracing::info!(changes, "the journal of the folder was not empty; its changes are made");
        }
        Ok(())
    }

    /// Puts a replay off that met a full disk, if the files hold all that the journal does, as `is_made` finds: readers get
    /// everything, and nothing is changed until there is room and the journal is mended.
    ///
    /// # Errors
    /// Returns `error` if it is another one, or if something is in the journal alone.
    pub(in crate::folder) fn put_off(
        &self,
        error: io::Error,
        is_made: impl Fn(&str, Option<&[u8]>) -> io::Result<bool>,
    ) -> io::Result<()> {
        if !is_full(&error) || !self.is_in_files(is_made)? {
            return Err(error);
        }
        self.shared.state().break_by(Fault::of(&error));
        Ok(())
    }

    /// Mends a journal that has failed by a replay of what it is known to hold. The next attempt is at least a second
    /// after the end of one that failed.
    ///
    /// # Errors
    /// Returns the failure if the journal cannot be mended, or if that is still being tried.
    pub(in crate::folder) fn mend(&self, make: impl Make) -> io::Result<()> {
        if let Some(broken) = &mut self.shared.state().broken {
            if broken.is_mending || broken.tried.is_some_and(|tried| tried.elapsed() < AGAIN) {
                return Err(broken.fault.clone().into());
            }
            broken.is_mending = true;
        } else {
            return Ok(());
        }
        let _alone = self.shared.alone();
        let ends = {
            let state = self.shared.state();
            state.is_replayed.then(|| state.slots.each_ref().map(Slot::known_end))
        };
        let mended = self.shared.replay(ends, make);
        let mut state = self.shared.state();
        match &mended {
            Ok(changes) => {
                tracing::warn!(changes, "the journal of the folder is mended");
                state.broken = None;
                state.is_replayed = true;
            }
            Err(error) => {
                let fault = Fault::of(error);
                tracing::error!(reason = %fault, "the journal of the folder cannot be mended yet");
                state.broken = Some(Broken { fault, is_mending: false, tried: Some(Instant::now()) });
            }
        }
        drop(state);
        mended.map(drop)
    }

    /// Returns `true` if the journal holds nothing that is not in the files, as `is_made` finds.
    ///
    /// # Errors
    /// Returns an error if the journal is damaged, or if the file system refuses.
    pub(in crate::folder) fn is_in_files(
        &self,
        is_made: impl Fn(&str, Option<&[u8]>) -> io::Result<bool>,
    ) -> io::Result<bool> {
        let Latest { mut segments, changes, .. } = self.shared.latest(None)?;
        for (key, change) in changes {
            let content = content(&mut segments, change)?;
            if !is_made(&key, content.as_deref())? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Makes a change in a file: the object's key, its file's content or `None` if it was removed, and where to note what is
/// unsettled then.
pub(in crate::folder) trait Make:
    Fn(&str, Option<&[u8]>, &mut Unsettled) -> io::Result<()>
{
}
impl<F: Fn(&str, Option<&[u8]>, &mut Unsettled) -> io::Result<()>> Make for F {}

/// The last change of each object in the journal.
struct Latest {
    segments: Vec<OpenSegment>,
    changes: BTreeMap<String, InSegment>,
    /// The slot of the newest segment, if there is one.
    newest: Option<usize>,
}

/// A segment, and the end of its last group.
struct OpenSegment {
    segment: Segment,
    path: PathBuf,
    end: u64,
}

/// A change, and the segment that holds it.
type InSegment = (usize, Found);

fn content(segments: &mut [OpenSegment], (segment, found): InSegment) -> io::Result<Option<Vec<u8>>> {
    match (found, segments.get_mut(segment)) {
        (Found::Put(at, length), Some(open)) => open.segment.content(at, length).map(Some),
        _ => Ok(None),
    }
}

impl Shared {
    /// Reads the segments, in the order of their numbers. `ends` are the positions up to which they are known to be
    /// synced, where that is known. Nothing behind them is read, and no segment that has none.
    fn latest(&self, ends: Option<[Option<u64>; 2]>) -> io::Result<Latest> {
        let damaged = |path: &Path, why: &str| {
            let what = format!(
                "the journal {} is damaged: {why}. Changes that were acknowledged may be in it alone. Restore the folder `{JOURNAL}` \
                 with all that is in it. If that is lost, move the whole folder `{JOURNAL}` away, and never one of its files alone, \
                 which would bring back older objects; then run `credlink fsck --repair`, and start the server",
                path.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, what)
        };
        let mut found = Vec::new();
        for (slot, path) in self.paths().into_iter().enumerate() {
            let known = ends.map(|ends| ends[slot].unwrap_or_default());
            if known == Some(0) {
                continue;
            }
            match Segment::open(&path) {
                Ok(segment) => found.extend(segment.map(|segment| (slot, path, known, segment))),
                Err(SegmentError::Io(error)) => return Err(named(&path)(error)),
                Err(SegmentError::Damaged(why)) => return Err(damaged(&path, &why)),
            }
        }
        found.sort_by_key(|(_, _, _, segment)| segment.line.segment);
        let after = found.last().and_then(|(_, _, _, last)| last.line.after);
        let newest = found.last().map(|(slot, ..)| *slot);
        let numbers: Vec<u64> = found.iter().map(|(_, _, _, segment)| segment.line.segment).collect();
        // The last change of each key that counts, and the one before it.
        let mut changes: BTreeMap<String, (Option<InSegment>, Option<InSegment>)> = BTreeMap::new();
        let mut segments = Vec::new();
        for (number, (_, path, known, mut segment)) in found.into_iter().enumerate() {
            let read = segment.read(known.unwrap_or(u64::MAX), |key, found| {
                let (last, before) = changes.entry(key).or_default();
                if found == Found::Undo {
                    *last = before.take();
                } else {
                    *before = last.replace((number, found));
                }
            });
            let End { at: end, continued } = match read {
                Ok(end) => end,
                Err(SegmentError::Io(error)) => return Err(named(&path)(error)),
                Err(SegmentError::Damaged(why)) => return Err(damaged(&path, &why)),
            };
            // Without it, this segment would be made over newer files.
            if let Some(next) = continued.filter(|next| !numbers.contains(next)) {
                let gone = format!("segment {next} continues it, and is not there");
                return Err(damaged(&path, &gone));
            }
            let told = after.filter(|after| after.segment == segment.line.segment).map(|after| after.end);
            if told.max(known).is_some_and(|expected| end < expected) {
                return Err(damaged(&path, &format!("it can be read up to byte {end} only")));
            }
            segments.push(OpenSegment { segment, path, end });
        }
        let changes = changes.into_iter().filter_map(|(key, (last, _))| Some((key, last?))).collect();
        Ok(Latest { segments, changes, newest })
    }

    /// Makes the changes up to these ends, or all that the files of the journal hold. Returns their number.
    fn replay(&self, ends: Option<[Option<u64>; 2]>, make: impl Make) -> io::Result<usize> {
        let Latest { mut segments, changes, newest } = self.latest(ends)?;
        if ends.is_none() {
            for OpenSegment { segment, path, end } in &mut segments {
                segment.write_again(path, *end).map_err(named(path))?;
            }
        }
        let mut unsettled = Unsettled::default();
        let made = changes.len();
        for (key, change) in changes {
            make(&key, content(&mut segments, change)?.as_deref(), &mut unsettled)?;
        }
        self.settle.settle(&unsettled)?;
        let number = segments.last().map_or(0, |last| last.segment.line.segment);
        drop(segments);
        {
            let mut state = self.state();
            state.number = state.number.max(number);
        }
        self.forget(newest)?;
        Ok(made)
    }
}

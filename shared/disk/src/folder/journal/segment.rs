//! The file of one segment of the journal.
//!
//! ```text
//! credlink-journal 1 <SHA-256 of the next line>
//! {"segment":7,"salt":"<32 hexadecimal digits>","after":{"segment":6,"end":67035136}}
//!
//! credlink-changes 1 <SHA-256 of the salt and the next line>
//! {"at":4096,"changes":[{"put":"proofs/…","length":1234,"header":"<64 digits>"},{"delete":"manifests/…"}]}
//! <the file of each object that is put, one after the other>
//! ```
//!
//! A segment that another one continues ends with a line that names it, written when that one is on the disk:
//!
//! ```text
//! {"at":67035136,"continued":8}
//! ```
//!
//! Each group of changes begins at a multiple of [`BLOCK_BYTES`], so a block that was synced is never written again. A
//! group counts if its line has its digest and all of its objects have those that the line names, and is otherwise one
//! that was being written, and never acknowledged, when the machine stopped. A segment's file is used again; the salt
//! keeps older groups, and objects that imitate one, from being taken for groups of the segment. The digest of an
//! object's header, which has the digest of its body, keeps an older object in the place of a newer one from counting.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use credlink_core::hash::Digest;
use serde::{Deserialize, Serialize};

use crate::folder::file;
use crate::private;
use crate::tracked::TrackedFile;

/// The unit in which disks write, in bytes: 4,096 on most, 512 on others.
pub(super) const BLOCK_BYTES: u64 = 4_096;
/// The maximum length of the two lines of a group, in bytes: 256 keys of 700 bytes each.
pub(super) const MAX_LINE_BYTES: usize = 262_144;

/// The number of bytes that are read and written at a time.
const PART_BYTES: u64 = 1_024 * 1_024;

/// The start of a segment, with the version of the format.
const SEGMENT_MAGIC: &[u8] = b"credlink-journal 1 ";
/// The start of a group of changes, with the version of the format.
const GROUP_MAGIC: &[u8] = b"credlink-changes 1 ";

/// The first line of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentLine {
    /// The number of the segment; later segments have higher ones.
    pub(super) segment: u64,
    /// Random digits that no object could have contained before.
    pub(super) salt: String,
    /// The segment before this one, which may not be in its files yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Predecessor>,
}

/// A segment and the position at which its last acknowledged group ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Predecessor {
    pub(super) segment: u64,
    pub(super) end: u64,
}

/// The line of a group.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum GroupLine {
    /// Changes.
    Changes { at: u64, changes: Vec<ChangeLine> },
    /// The end of the segment: the number of the one that continues it.
    Continued { at: u64, continued: u64 },
}

impl GroupLine {
    const fn at(&self) -> u64 {
        match self {
            Self::Changes { at, .. } | Self::Continued { at, .. } => *at,
        }
    }
}

/// A change in the line of a group.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum ChangeLine {
    Put { put: String, length: u64, header: String },
    Delete { delete: String },
    Undo { undo: String },
}

/// A change of one object.
#[derive(Clone, Debug)]
pub(in crate::folder) enum Change {
    /// An object is written. Its file consists of a header and a body.
    Put { key: String, header: Bytes, body: Bytes },
    /// An object is removed.
    Delete { key: String },
    /// The last change of an object does not count: it could not be made in its file.
    Undo { key: String },
}

impl Change {
    /// Returns the number of bytes that the change takes behind the line of its group.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Put { header, body, .. } => (header.len() + body.len()) as u64,
            Self::Delete { .. } | Self::Undo { .. } => 0,
        }
    }

    /// Returns the key of the object.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } | Self::Undo { key } => key,
        }
    }

    fn line(&self) -> ChangeLine {
        match self {
            Self::Put { key, header, .. } => {
                let header = file::header_digest(header).unwrap_or_default().to_owned();
                ChangeLine::Put { put: key.clone(), length: self.length(), header }
            }
            Self::Delete { key } => ChangeLine::Delete { delete: key.clone() },
            Self::Undo { key } => ChangeLine::Undo { undo: key.clone() },
        }
    }
}

/// A change of an object that a segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The object's file, by its position in the segment's file and its length.
    Put(u64, u64),
    /// The object was removed.
    Delete,
    /// The change before this one does not count.
    Undo,
}

/// The contents of the place of a group.
enum GroupFound {
    /// Changes by their keys, and the position at which the group ends.
    Changes(Vec<(String, Found)>, u64),
    /// The number of the segment that continues this one.
    Continued(u64),
}

/// The end of what a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The position at which the last group of changes ends.
    pub(super) at: u64,
    /// The number of the segment that continues this one, if the segment says so.
    pub(super) continued: Option<u64>,
}

/// The reasons why a segment could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SegmentError {
    /// The file system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The content is not what was written.
    #[error("{0}")]
    Damaged(String),
}

/// Returns two lines: the magic with the digest of the second one, and the second one.
fn lines(magic: &[u8], salt: &str, line: &impl Serialize) -> io::Result<Vec<u8>> {
    let line = serde_json::to_vec(line)?;
    let mut bytes = Vec::with_capacity(magic.len() + 66 + line.len());
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(digest(salt, &line).as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(&line);
    bytes.push(b'\n');
    Ok(bytes)
}

fn digest(salt: &str, line: &[u8]) -> String {
    Digest::of(&[salt.as_bytes(), line].concat()).to_string()
}

/// Returns the second of two lines at the beginning of `bytes` and the length of both, or `None` if there are no such
/// lines.
fn second_line<'a>(magic: &[u8], salt: &str, bytes: &'a [u8]) -> Option<(&'a [u8], usize)> {
    let rest = bytes.strip_prefix(magic)?;
    let (found, rest) = rest.split_at_checked(64)?;
    let rest = rest.strip_prefix(b"\n")?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = rest.get(..end)?;
    (found == digest(salt, line).as_bytes()).then_some((line, magic.len() + 64 + 1 + end + 1))
}

impl SegmentLine {
    /// Returns the first block of the segment.
    pub(super) fn block(&self) -> io::Result<Vec<u8>> {
        let mut bytes = lines(SEGMENT_MAGIC, "", self)?;
        bytes.resize(usize::try_from(BLOCK_BYTES).unwrap_or(4_096), 0);
        Ok(bytes)
    }

    /// Returns the beginning of a group at this position: everything but the bodies of its objects.
    pub(super) fn group<'a>(
        &self,
        at: u64,
        changes: impl IntoIterator<Item = &'a Change>,
    ) -> io::Result<Vec<u8>> {
        let changes = changes.into_iter().map(Change::line).collect();
        lines(GROUP_MAGIC, &self.salt, &GroupLine::Changes { at, changes })
    }

    /// Returns what is written at this position once the segment `next` is on the disk: this one ends here.
    pub(super) fn continued(&self, at: u64, next: u64) -> io::Result<Vec<u8>> {
        lines(GROUP_MAGIC, &self.salt, &GroupLine::Continued { at, continued: next })
    }
}

/// Returns the next position at which a group may begin.
pub(super) const fn next_block(at: u64) -> u64 {
    at.div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}

/// A segment that is read.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) line: SegmentLine,
    file: File,
    length: u64,
}

impl Segment {
    /// Opens the segment at `path`. Returns `None` if there is none, or one whose changes are all in their files.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, SegmentError> {
        let mut file = match private::open_to_read(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let length = file.metadata()?.len();
        let mut block = Vec::new();
        (&mut file).take(BLOCK_BYTES).read_to_end(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let damaged = || SegmentError::Damaged("its first line is not what was written".to_owned());
        let (line, _) = second_line(SEGMENT_MAGIC, "", &block).ok_or_else(damaged)?;
        let line = serde_json::from_slice(line).map_err(|error| SegmentError::Damaged(error.to_string()))?;
        Ok(Some(Self { line, file, length }))
    }

    /// Calls `found` with every change in the groups before `until`, in order. Returns the end of the last group.
    ///
    /// A group is written once the one before it is synced. So only the last one may be cut short, and others behind
    /// one that does not count mean that it was damaged later.
    pub(super) fn read(
        &mut self,
        until: u64,
        mut found: impl FnMut(String, Found),
    ) -> Result<End, SegmentError> {
        let (mut at, mut end) = (BLOCK_BYTES, BLOCK_BYTES);
        while at < until
            && let Some(group) = self.group(at)?
        {
            let (changes, group_end) = match group {
                GroupFound::Changes(changes, group_end) => (changes, group_end),
                GroupFound::Continued(next) => return Ok(End { at: end, continued: Some(next) }),
            };
            for (key, change) in changes {
                found(key, change);
            }
            (at, end) = (next_block(group_end), group_end);
        }
        let mut behind = at + BLOCK_BYTES;
        while behind < self.length.min(until) {
            if self.group_line(behind)?.is_some() {
                let why = format!("the changes at byte {at} are not what was written, and others follow");
                return Err(SegmentError::Damaged(why));
            }
            behind += BLOCK_BYTES;
        }
        Ok(End { at: end, continued: None })
    }

    /// Writes the segment up to `end` once more where it stands, and syncs it.
    pub(super) fn write_again(&mut self, path: &Path, end: u64) -> io::Result<()> {
        let file = TrackedFile::open(&private::options(), path)?;
        let mut at = 0;
        while at < end {
            let part = self.content(at, (end - at).min(PART_BYTES))?;
            if part.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.write_at(at, &part)?;
            at += part.len() as u64;
        }
        file.sync()
    }

    /// Returns the bytes of an object's file.
    pub(super) fn content(&mut self, at: u64, length: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
        (&mut self.file).take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns the line of the group that begins at this position and the length of its two lines, or `None` if there
    /// is none.
    fn group_line(&mut self, at: u64) -> Result<Option<(GroupLine, usize)>, SegmentError> {
        let mut start = self.content(at, BLOCK_BYTES)?;
        if !start.starts_with(GROUP_MAGIC) {
            return Ok(None);
        }
        if second_line(GROUP_MAGIC, &self.line.salt, &start).is_none() {
            start = self.content(at, MAX_LINE_BYTES as u64)?;
        }
        let Some((line, length)) = second_line(GROUP_MAGIC, &self.line.salt, &start) else { return Ok(None) };
        let line: GroupLine =
            serde_json::from_slice(line).map_err(|error| SegmentError::Damaged(error.to_string()))?;
        Ok((line.at() == at).then_some((line, length)))
    }

    /// Returns what stands at this position, or `None` if there is no whole group.
    fn group(&mut self, at: u64) -> Result<Option<GroupFound>, SegmentError> {
        let Some((line, length)) = self.group_line(at)? else { return Ok(None) };
        let lines = match line {
            GroupLine::Changes { changes, .. } => changes,
            GroupLine::Continued { continued, .. } => return Ok(Some(GroupFound::Continued(continued))),
        };
        let mut end = at + length as u64;
        let mut changes = Vec::with_capacity(lines.len());
        for change in lines {
            match change {
                ChangeLine::Put { put, length, header } => {
                    if end.checked_add(length).is_none_or(|end| end > self.length) {
                        return Ok(None);
                    }
                    let content = self.content(end, length)?;
                    if file::header_digest(&content) != Some(&*header) || !file::is_whole(&content, &put) {
                        return Ok(None);
                    }
                    changes.push((put, Found::Put(end, length)));
                    end += length;
                }
                ChangeLine::Delete { delete } => changes.push((delete, Found::Delete)),
                ChangeLine::Undo { undo } => changes.push((undo, Found::Undo)),
            }
        }
        Ok(Some(GroupFound::Changes(changes, end)))
    }
}

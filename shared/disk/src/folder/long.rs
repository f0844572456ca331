//! Long objects, read and written piece by piece.
//!
//! The journal would hold all bytes of a write once more, so it is emptied instead, and the file is synced by itself.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use credlink_core::hash::{Digest, Hashing};
use credlink_core::object::{Attributes, ObjectKey, StoredTag};
use credlink_ports::{Condition, Failure, FailureKind, LongObjects, LongWrite, Put};
use futures_util::TryStreamExt as _;

use super::changes::{Prepared, too_many_attributes, unwritten};
use super::layout::ObjectPath;
use super::temporary::Temporary;
use super::{Folder, Inner, NAME, file, tag, unreadable};
use crate::failure::{from_io, off_the_executor_with};
use crate::tracked::TrackedFile;

/// A long object on its way in, under a temporary name.
struct Incoming {
    key: String,
    size: u64,
    sha256: Digest,
    to: PathBuf,
    temporary: Temporary,
    file: TrackedFile,
    /// The length of the file's header, and of the whole so far.
    header: u64,
    end: u64,
    hashing: Hashing,
}

impl Inner {
    fn get_piece(&self, key: &str, known: &StoredTag, range: &Range<u64>) -> Result<Option<Bytes>, Failure> {
        let Some(mut file) = self.file(key, &ObjectPath::of(key))? else { return Ok(None) };
        let (header, _) = file::read_header(&mut file, key).map_err(|error| unreadable(key, error))?;
        if tag(&header.sha256.to_string()) != *known {
            return Ok(None);
        }
        let failed = |error| from_io(NAME, &format!("reading {key}"), &error);
        let body = file.metadata().map_err(failed)?.len() - header.length;
        file.seek(SeekFrom::Start(body + range.start)).map_err(failed)?;
        let length = range.end - range.start;
        let mut piece = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(length).read_to_end(&mut piece).map_err(failed)?;
        Ok(Some(piece.into()))
    }

    /// Begins a write, or returns `None` if its condition does not hold already.
    fn begin_long(
        &self,
        key: String,
        (size, sha256): (u64, Digest),
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Option<Incoming>, Failure> {
        let failed = |error| unwritten(&key, &error);
        self.mend().map_err(failed)?;
        if !self.holds(&key, condition)? {
            return Ok(None);
        }
        let lines =
            file::header_for(&key, sha256, size, attributes).ok_or_else(|| too_many_attributes(&key))?;
        self.admit().map_err(failed)?;
        let place = ObjectPath::of(&key);
        let to = self.shard(&place).map_err(failed)?.join(&place.name);
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let written = self.reserve.noted(Temporary::write(&self.temporary, number, &[&lines]));
        let (temporary, file) = written.map_err(failed)?;
        let header = lines.len() as u64;
        let hashing = Hashing::default();
        Ok(Some(Incoming { key, size, sha256, to, temporary, file, header, end: header, hashing }))
    }

    /// Adds a piece to a write.
    fn add(&self, incoming: &mut Incoming, piece: &[u8]) -> Result<(), Failure> {
        let Incoming { key, size, file, header, end, hashing, .. } = incoming;
        let next = *end + piece.len() as u64;
        if next - *header > *size {
            return Err(not_as_announced(key));
        }
        let written = self.reserve.noted(file.append(*end, piece));
        written.map_err(|error| unwritten(key, &error))?;
        hashing.add(piece);
        *end = next;
        Ok(())
    }

    /// Ends a write: makes it durable and visible, if its condition holds.
    fn end_long(&self, incoming: Incoming, condition: &Condition) -> Result<Put, Failure> {
        let Incoming { key, size, sha256, to, temporary, file, header, end, hashing } = incoming;
        if end - header != size || hashing.digest() != sha256 {
            return Err(not_as_announced(&key));
        }
        let written = self.reserve.noted(self.journal.settle().written(file));
        let written = written.map_err(|error| unwritten(&key, &error))?;
        let _alone = self.lock([key.as_str()]);
        let passage = self.enter(&key)?;
        if !self.holds(&key, condition)? {
            return Ok(Put::Lost);
        }
        let header = Bytes::new();
        let prepared = Prepared { key, header, sha256, to, temporary, written, makes_room: false };
        self.make_without_journal(passage, &[prepared])?;
        Ok(Put::Stored(tag(&sha256.to_string())))
    }
}

impl LongObjects for Folder {
    async fn get_piece(
        &self,
        key: &ObjectKey,
        tag: &StoredTag,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, Failure> {
        let (key, tag) = (key.to_string(), tag.clone());
        off_the_executor_with(NAME, &self.0, move |folder| folder.get_piece(&key, &tag, &range)).await
    }

    async fn put_pieces(&self, key: &ObjectKey, write: LongWrite) -> Result<Put, Failure> {
        let LongWrite { size, sha256, mut pieces, attributes, condition } = write;
        let (key, expected) = (key.to_string(), condition.clone());
        let begin = move |folder: &Inner| folder.begin_long(key, (size, sha256), &attributes, &expected);
        let begun = off_the_executor_with(NAME, &self.0, begin).await?;
        let Some(mut incoming) = begun else { return Ok(Put::Lost) };
        while let Some(piece) = pieces.try_next().await? {
            let add = move |folder: &Inner| folder.add(&mut incoming, &piece).map(|()| incoming);
            incoming = off_the_executor_with(NAME, &self.0, add).await?;
        }
        off_the_executor_with(NAME, &self.0, move |folder| folder.end_long(incoming, &condition)).await
    }
}

fn not_as_announced(key: &str) -> Failure {
    let message = format!("writing {key}: the pieces are not the bytes that were announced");
    Failure { provider: NAME, kind: FailureKind::Damaged, message }
}

//! Objects that are opened, checked, and read piece by piece.
//!
//! The same open file is checked and read: a change replaces the name of an object's file, and never its content.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use credlink_core::bounds::MAX_ANSWER_PIECE_BYTES;
use credlink_core::hash::{Digest, Hashing};
use credlink_core::object::ObjectKey;
use credlink_ports::{Failure, FailureKind, OpenObjects, OpenedContent, Opening, PieceSums};
use futures_util::stream::{self, StreamExt as _};

use super::layout::ObjectPath;
use super::{Folder, Inner, NAME, file, unreadable};
use crate::failure::{from_io, off_the_executor, off_the_executor_with};

/// Number of files that are checked at once. A check takes a processor, so two of them leave others for requests.
pub(super) const CHECKS: usize = 2;

/// The length of a piece.
const PIECE_BYTES: u64 = MAX_ANSWER_PIECE_BYTES as u64;

/// The bytes that one turn of a check reads: a few milliseconds of a processor. The check of a long
/// file waits for another turn after each, so that a short one is not late.
const TURN_BYTES: usize = 1_048_576;

/// The body of an object in its open file.
struct Body {
    file: File,
    key: String,
    sha256: Digest,
    /// The offset of the body in the file.
    start: u64,
    length: u64,
}

impl Inner {
    fn open(&self, key: String) -> Result<Option<Body>, Failure> {
        let Some(mut file) = self.file(&key, &ObjectPath::of(&key))? else { return Ok(None) };
        let (header, _) = file::read_header(&mut file, &key).map_err(|error| unreadable(&key, error))?;
        let size = file.metadata().map_err(|error| failed(&key, &error))?.len();
        // `read_header` has checked that the file has this many bytes after the header.
        let start = size.saturating_sub(header.length);
        Ok(Some(Body { file, key, sha256: header.sha256, start, length: header.length }))
    }
}

impl Body {
    /// Reads the bytes at `at` into `buffer`, all of it.
    fn fill(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let sought = self.file.seek(SeekFrom::Start(self.start + at));
        sought.and_then(|_| self.file.read_exact(buffer)).map_err(|error| failed(&self.key, &error))
    }

    /// Returns the body of the same open file.
    fn again(&self) -> Result<Self, Failure> {
        let file = self.file.try_clone().map_err(|error| failed(&self.key, &error))?;
        Ok(Self { file, key: self.key.clone(), ..*self })
    }

    /// Returns the number of bytes from `at` to `end`, as far as one buffer of `most` bytes has room for them.
    fn next(at: u64, end: u64, most: usize) -> usize {
        usize::try_from(end.saturating_sub(at)).map_or(most, |left| left.min(most))
    }
}

fn failed(key: &str, error: &io::Error) -> Failure {
    from_io(NAME, &format!("reading {key}"), error)
}

impl Folder {
    /// Reads all bytes of an open file, and checks that they are those that were written.
    async fn checked(&self, mut body: Body) -> Result<PieceSums, Failure> {
        let (mut hashing, mut sums, mut at) = (Hashing::default(), PieceSums::default(), 0);
        while at < body.length {
            let length = Body::next(at, body.length, TURN_BYTES);
            // The semaphore is never closed. Its order is that of the requests.
            let _turn = self.0.checks.acquire().await;
            // Allocated here and not where it is filled, as for a whole object ([`Objects::get`](credlink_ports::Objects)),
            // and in each turn, because many may wait for theirs.
            let mut buffer = vec![0; length];
            (body, hashing, sums) = off_the_executor(NAME, move || {
                body.fill(at, &mut buffer)?;
                hashing.add(&buffer);
                sums.add(&buffer);
                Ok((body, hashing, sums))
            })
            .await?;
            at += length as u64;
        }
        if hashing.digest() == body.sha256 {
            return Ok(sums);
        }
        let message =
            format!("reading {}: its bytes do not have the digest that they were written with", body.key);
        Err(Failure { provider: NAME, kind: FailureKind::Damaged, message })
    }

    async fn opened(&self, key: String, range: Range<u64>) -> Result<Option<OpenedContent>, Failure> {
        let Some(body) = off_the_executor_with(NAME, &self.0, move |folder| folder.open(key)).await? else {
            return Ok(None);
        };
        let object = Arc::new((body.key.clone(), body.sha256));
        let sums = self.0.contents.sums(&object, async { self.checked(body.again()?).await }).await?;
        let (sha256, range) = (body.sha256, range.start..range.end.min(body.length));
        let (length, first) =
            (range.end.saturating_sub(range.start), range.start / PIECE_BYTES * PIECE_BYTES);
        let inner = Arc::clone(&self.0);
        let pieces = stream::try_unfold((body, sums, first), move |(mut body, sums, at)| {
            let (range, inner, object) = (range.clone(), Arc::clone(&inner), Arc::clone(&object));
            async move {
                if at >= range.end {
                    return Ok(None);
                }
                let mut piece = vec![0; Body::next(at, body.length, MAX_ANSWER_PIECE_BYTES)];
                let read = move || {
                    let filled = body.fill(at, &mut piece);
                    let part = filled.and_then(|()| {
                        sums.part(at, &piece.into(), &range).map_err(|changed| {
                            let message = format!("reading {}: {changed}", body.key);
                            Failure { provider: NAME, kind: FailureKind::Damaged, message }
                        })
                    });
                    let part = part.inspect_err(|_| inner.contents.forget(&object))?;
                    Ok((part, (body, sums, at + PIECE_BYTES)))
                };
                off_the_executor(NAME, read).await.map(Some)
            }
        });
        Ok(Some(OpenedContent { sha256, length, pieces: pieces.boxed() }))
    }
}

impl OpenObjects for Folder {
    fn open<'a>(&'a self, key: &'a ObjectKey, range: Range<u64>) -> Opening<'a> {
        Box::pin(self.opened(key.to_string(), range))
    }
}

//! Legacy records as lines of a dump. gzip is recognised by its first bytes.
//!
//! * **A line** is a record, or an entry of a Map as `JSON.stringify` writes it: an array of a string and the record.
//!   The record is passed on as the original text. Blank lines are counted and skipped. A line may end with `\r\n`, and
//!   the last one may have no line end; a byte order mark before the first is skipped.
//! * **Every line is an item**, and a malformed line is an item that says what is wrong with it. If gzip data break
//!   off, the last item says so, since nobody knows what followed.
//! * **Memory.** A page ends early once its lines have 8 MB together. Listed lines are kept until they are read, up to
//!   96 MB, so that they are read without another access to the file. Any other line is searched for from the start of
//!   its page or, in gzip data, by unpacking from the beginning. A line longer than any record is never held in memory.
//! * **Versions** are the SHA-256 of the line. Lines are never removed.

mod reader;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_ports::migration::{Content, Item, Removal, Source};
use credlink_ports::{Failure, FailureKind, Page};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use credlink_disk::failure::{from_io, off_the_executor_with};
use reader::{Line, LinePosition, Reader, Text};

use super::text;

/// The name that operators know this source by.
const NAME: &str = "jsonl";

/// Size of a page in bytes; the line that exceeds it is the last one.
const PAGE_BYTES: usize = 8_000_000;

/// Maximum size of the listed lines that are still to be read, in bytes: more than a run has in flight.
const KEPT_BYTES: usize = 96_000_000;

/// Maximum number of lines that are kept, whatever their length.
const KEPT_LINES: usize = 32_768;

/// A dump as a source.
#[derive(Debug, Clone)]
pub struct Lines(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The reader at the end of the latest page.
    reader: Option<Reader>,
    /// The latest lines that were listed and not yet read, by their numbers.
    lines: BTreeMap<u64, Line>,
    /// The total size of `lines` in bytes.
    held: usize,
    /// The starts of pages, in order. A line is searched for from the last start before it.
    starts: Vec<LinePosition>,
}

impl Lines {
    /// Opens the dump at `path`.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let reader = Reader::open(path)?;
        let state = State { starts: vec![reader.place()], reader: Some(reader), ..State::default() };
        Ok(Self(Arc::new(Inner { path: path.to_owned(), state: Mutex::new(state) })))
    }
}

impl Source for Lines {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        let after = after.map(str::to_owned);
        off_the_executor_with(NAME, &self.0, move |lines| lines.list(after.as_deref(), limit)).await
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        let key = key.to_owned();
        off_the_executor_with(NAME, &self.0, move |lines| {
            let line = lines.line(&key)?;
            if let Some(line) = &line {
                lines.state.lock().unwrap_or_else(PoisonError::into_inner).forget(line.number);
            }
            Ok(line.map(|line| content(&line)))
        })
        .await
    }

    async fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        let key = key.to_owned();
        off_the_executor_with(NAME, &self.0, move |lines| Ok(lines.line(&key)?.map(|line| item(&line)))).await
    }

    async fn remove(&self, _: &Item) -> Result<Removal, Failure> {
        Err(Failure {
            provider: NAME,
            kind: FailureKind::AccessDenied,
            message: "lines are not removed from a dump; delete the file yourself when the job is verified"
                .to_owned(),
        })
    }
}

impl State {
    fn keep(&mut self, line: Line) {
        self.forget(line.number);
        self.held += line.text.held();
        self.lines.insert(line.number, line);
        while self.held > KEPT_BYTES || self.lines.len() > KEPT_LINES {
            let Some(first) = self.lines.keys().next().copied() else { break };
            self.forget(first);
        }
    }

    fn forget(&mut self, number: u64) {
        if let Some(line) = self.lines.remove(&number) {
            self.held = self.held.saturating_sub(line.text.held());
        }
    }
}

impl Inner {
    fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<Item>, Failure> {
        let failed = |error: io::Error| from_io(NAME, &format!("reading {}", self.path.display()), &error);
        let start = after.map(place).transpose()?.unwrap_or_default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = match state.reader.take().filter(|reader| reader.place() == start) {
            Some(reader) => reader,
            None => Reader::at(&self.path, start).map_err(failed)?,
        };
        if let Err(at) = state.starts.binary_search_by_key(&start.line, |place| place.line) {
            state.starts.insert(at, start);
        }
        let (mut items, mut bytes) = (Vec::new(), 0);
        let mut is_last = false;
        while items.len() < limit && bytes < PAGE_BYTES {
            let Some(line) = reader.next().map_err(failed)? else {
                is_last = true;
                break;
            };
            bytes += line.text.held();
            is_last = matches!(line.text, Text::Broken(_));
            items.push(item(&line));
            state.keep(line);
            if is_last {
                break;
            }
        }
        let next = (!is_last).then(|| cursor(reader.place()));
        state.reader = Some(reader);
        Ok(Page { items, next })
    }

    /// Returns the line of a key, if there is one.
    fn line(&self, key: &str) -> Result<Option<Line>, Failure> {
        let failed =
            |error: io::Error| from_io(NAME, &format!("reading {key} of {}", self.path.display()), &error);
        let Some(number) = key.strip_prefix("line ").and_then(|text| text.parse::<u64>().ok()) else {
            return Ok(None);
        };
        let start = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(line) = state.lines.get(&number) {
                return Ok(Some(line.clone()));
            }
            let before = state.starts.partition_point(|place| place.line < number);
            before.checked_sub(1).and_then(|at| state.starts.get(at)).copied().unwrap_or_default()
        };
        let mut reader = Reader::at(&self.path, start).map_err(failed)?;
        while let Some(line) = reader.next().map_err(failed)? {
            if line.number >= number {
                return Ok(Some(line).filter(|line| line.number == number));
            }
        }
        Ok(None)
    }
}

fn item(line: &Line) -> Item {
    let (size, version) = match &line.text {
        Text::Whole(bytes) => (bytes.len() as u64, Digest::of(bytes).to_string()),
        Text::TooLong(length) => (*length, format!("{length} bytes")),
        Text::Broken(why) => (0, why.clone()),
    };
    Item { key: format!("line {}", line.number), size, version }
}

/// Returns the record in a line.
fn content(line: &Line) -> Content {
    let bytes = match &line.text {
        Text::Whole(bytes) => bytes,
        Text::TooLong(length) => return text::too_long(*length),
        Text::Broken(why) => {
            return Content::Unreadable(format!(
                "the gzip data break off here, and what was behind is lost: {why}"
            ));
        }
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Content::Unreadable("the line is no UTF-8".to_owned());
    };
    if !text.trim_start().starts_with('[') {
        return text::legacy(bytes.clone());
    }
    let not_an_entry = |why: &str| {
        Content::Unreadable(format!("a line is a record, or an array of its id and the record; {why}"))
    };
    match serde_json::from_str::<(String, &RawValue)>(text) {
        Ok((_, record)) if record.get().starts_with('{') => {
            text::legacy(Bytes::copy_from_slice(record.get().as_bytes()))
        }
        Ok(_) => not_an_entry("the second element of this one is no object"),
        Err(error) => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => not_an_entry("this array is another one"),
            Err(_) => not_an_entry(&format!("this is not JSON: {error}")),
        },
    }
}

fn cursor(place: LinePosition) -> String {
    format!("{}:{}", place.line, place.offset)
}

fn place(cursor: &str) -> Result<LinePosition, Failure> {
    let read = || {
        let (line, offset) = cursor.split_once(':')?;
        Some(LinePosition { line: line.parse().ok()?, offset: offset.parse().ok()? })
    };
    read().ok_or_else(|| Failure {
        provider: NAME,
        kind: FailureKind::Damaged,
        message: format!("`{cursor}` is no place in this dump"),
    })
}

#[cfg(test)]
mod tests;

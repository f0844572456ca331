//! The keys of items in a folder, and the cursors of its listing.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use credlink_core::hash::Digest;

use super::walk::WalkEntry;

/// Longest key of an item, in bytes.
pub(super) const MAX_KEY_BYTES: usize = 1_024;

/// Number of bytes of a path that is not a key which its key shows.
const SHOWN_BYTES: usize = 700;

/// The last character of a key that is not a path: no path of a file ends with it.
const NO_FILE: char = '/';

/// Returns the path that a key stands for, or `None` if it is not a path in this folder.
pub(super) fn path_of(key: &str) -> Option<PathBuf> {
    let is_ours = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    let path = Path::new(key);
    (!key.is_empty() && key.len() <= MAX_KEY_BYTES && !key.ends_with(NO_FILE) && is_ours(path))
        .then(|| path.to_owned())
}

/// Returns the key of an entry: its path with `/` between its parts. If the path is not a valid key, the key is the
/// printable start of the path, made unique by a digest.
pub(super) fn key_of(found: &WalkEntry) -> String {
    let shown = String::from_utf8_lossy(&found.bytes);
    if found.bytes.len() <= MAX_KEY_BYTES && matches!(shown, Cow::Borrowed(_)) {
        return shown.into_owned();
    }
    let start: String =
        shown.char_indices().take_while(|(at, _)| *at < SHOWN_BYTES).map(|(_, c)| c).collect();
    format!("{start}#{}{NO_FILE}", Digest::of(&found.bytes))
}

/// Returns the cursor of a listing: the path of the last entry, in hexadecimal if it is not UTF-8.
pub(super) fn cursor_of(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) => format!("={text}"),
        Err(_) => data_encoding::HEXLOWER.encode(path),
    }
}

pub(super) fn path_of_cursor(cursor: &str) -> Option<Vec<u8>> {
    match cursor.strip_prefix('=') {
        Some(text) => Some(text.as_bytes().to_vec()),
        None => data_encoding::HEXLOWER.decode(cursor.as_bytes()).ok(),
    }
}

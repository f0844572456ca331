//! The keys of items in a folder, and the cursors of its listing.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use credlink_core::hash::Digest;

use super::walk::WalkEntry;

/// Longest key of an item, in bytes.
pub(super) const MAX_KEY_BYTES: usize = 1_024;

/// So much is shown of a path that is no key, in bytes.
const SHOWN_BYTES: usize = 700;

/// Ends the key of what has no key of its own: no path of a file ends like this.
const NO_FILE: char = '/';

/// The path that a key is; `None` where it is none of this folder's.
pub(super) fn path_of(key: &str) -> Option<PathBuf> {
    let is_ours = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    let path = Path::new(key);
    (!key.is_empty() && key.len() <= MAX_KEY_BYTES && !key.ends_with(NO_FILE) && is_ours(path))
        .then(|| path.to_owned())
}

/// The key of what was found: its path with `/` between its parts. What has none is named by what can be shown of its
/// path, and told apart by its digest.
pub(super) fn key_of(found: &WalkEntry) -> String {
    let shown = String::from_utf8_lossy(&found.bytes);
    if found.bytes.len() <= MAX_KEY_BYTES && matches!(shown, Cow::Borrowed(_)) {
        return shown.into_owned();
    }
    let start: String =
        shown.char_indices().take_while(|(at, _)| *at < SHOWN_BYTES).map(|(_, c)| c).collect();
    format!("{start}#{}{NO_FILE}", Digest::of(&found.bytes))
}

/// Where a listing goes on: the path of the last thing found, in hexadecimal where it is no text.
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

//! Text of a client, as it is quoted in an answer.

use std::borrow::Cow;

/// Text of a client in an answer to it, cut where it becomes unreasonable.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

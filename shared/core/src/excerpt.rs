//! Quotations of a client's text in answers.

use std::borrow::Cow;

/// Returns a client's text for quoting in an answer, cut at a reasonable length.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

//! Bounds on the depth of JSON and on the length of its strings and numbers. `serde_json` bounds recursion in what it
//! builds, but skips raw values without a bound; and its error about a string that is not allowed holds the string,
//! more than once. And its error about a wrong type speaks of Rust's types.

use memchr::memchr2;

/// The error for JSON that is nested too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("JSON may be nested {limit} levels deep here; at byte {at} it is deeper")]
pub struct TooDeep {
    /// The deepest nesting that is allowed.
    pub limit: usize,
    /// The offset of the first bracket over the limit.
    pub at: usize,
}

/// The error for a string or a number in JSON that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a text, a number or a member's name may have {limit} bytes here; the one at byte {at} has {length}")]
pub struct TooLong {
    /// The longest that is allowed, in bytes as written.
    pub limit: usize,
    /// The offset of the string or number.
    pub at: usize,
    /// The actual length.
    pub length: usize,
}

/// Checks the depth of `text` in one pass without allocation. The text need not be valid JSON, since the parser decides
/// that.
///
/// # Errors
/// The offset of the first bracket over the limit.
pub fn check_depth(text: &[u8], limit: usize) -> Result<(), TooDeep> {
    let mut depth = 0_usize;
    for token in tokens(text) {
        match token {
            Token::Other(at, b'[' | b'{') => {
                depth += 1;
                if depth > limit {
                    return Err(TooDeep { limit, at });
                }
            }
            Token::Other(_, b']' | b'}') => depth = depth.saturating_sub(1),
            Token::Other(..) | Token::Text(..) => {}
        }
    }
    Ok(())
}

/// Checks the length of every string, number and member name in `text` in one pass without allocation, except for the
/// string in the outermost object's member `long`. The text need not be valid JSON.
///
/// # Errors
/// The first string, number or name that is longer than `limit`.
pub fn check_texts(text: &[u8], limit: usize, long: &str) -> Result<(), TooLong> {
    // Most bodies are shorter than the longest string that is allowed.
    if text.len() <= limit {
        return Ok(());
    }
    let (mut depth, mut last, mut is_long) = (0_usize, None, false);
    let mut digits = 0_usize;
    for token in tokens(text) {
        digits = match token {
            Token::Other(_, byte) if is_of_number(byte) => digits + 1,
            Token::Text(..) | Token::Other(..) => 0,
        };
        if let Token::Other(end, _) = token
            && digits > limit
        {
            let at = end + 1 - digits;
            let rest = text.get(at..).unwrap_or_default();
            let length = rest.iter().take_while(|byte| is_of_number(**byte)).count();
            return Err(TooLong { limit, at, length });
        }
        match token {
            Token::Text(at, content) => {
                if content.len() > limit && !is_long {
                    return Err(TooLong { limit, at, length: content.len() });
                }
                last = Some(content);
            }
            // A string before a colon is a member name.
            Token::Other(_, b':') => is_long = depth == 1 && last == Some(long.as_bytes()),
            Token::Other(_, byte) => {
                is_long &= byte.is_ascii_whitespace();
                match byte {
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// Returns `true` if the byte can be part of a number (RFC 8259, section 6).
const fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// A token of JSON.
enum Token<'a> {
    /// A string: the offset where it begins, and its content without the quotes. A string that is cut off extends to
    /// the end.
    Text(usize, &'a [u8]),
    /// Any other byte, with its offset.
    Other(usize, u8),
}

fn tokens(text: &[u8]) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let byte = *text.get(start)?;
        if byte != b'"' {
            at += 1;
            return Some(Token::Other(start, byte));
        }
        let content = text.get(start + 1..).unwrap_or_default();
        let length = closing_quote(content).unwrap_or(content.len());
        // Continue after the closing quote.
        at = start + length + 2;
        Some(Token::Text(start, content.get(..length).unwrap_or_default()))
    })
}

/// Returns the position of the quote that ends a string, given the text after the one that begins it.
fn closing_quote(content: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', content.get(from..)?)?;
        if content.get(at) == Some(&b'"') {
            return Some(at);
        }
        // The byte after a backslash does not end the string (RFC 8259, section 7).
        from = at + 2;
    }
}

/// Returns the message of serde's error with the words of JSON in place of Rust's: `expected u64` says nothing to whoever
/// wrote the document.
#[must_use]
pub fn in_words_of_json(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let (expected, place) = expected.rfind(" at line ").map_or((expected, ""), |at| expected.split_at(at));
    let expected = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a map" => "an object",
        "a sequence" => "an array",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    let found = match found {
        "invalid type: map" => "invalid type: object",
        "invalid type: sequence" => "invalid type: array",
        other => other,
    };
    format!("{found}, expected {expected}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_and_strings_do_not_count() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check_depth(nested(8).as_bytes(), 8), Ok(()));
        assert_eq!(check_depth(nested(9).as_bytes(), 8), Err(TooDeep { limit: 8, at: 8 }));
        let string = format!(r#"["{}\"{}"]"#, "[".repeat(100), "{".repeat(100));
        assert_eq!(check_depth(string.as_bytes(), 8), Ok(()));
    }

    #[test]
    fn a_string_ends_at_the_first_quote_that_is_not_escaped() {
        for (content, ends) in [
            (&br#"""#[..], Some(0)),
            (br#"a","b""#, Some(1)),
            (br#"\\""#, Some(2)),
            (br#"\""#, None),
            (br#"\\\"""#, Some(4)),
            (br"a\", None),
            (b"", None),
        ] {
            assert_eq!(closing_quote(content), ends, "{}", String::from_utf8_lossy(content));
        }
    }

    #[test]
    fn texts_are_bounded_but_for_the_one_that_is_named() {
        let long = "x".repeat(9);
        for (text, at) in [
            (format!(r#"{{"a":"{long}"}}"#), Some(5)),
            (format!(r#"{{"{long}":1,"long":"1"}}"#), Some(1)),
            (format!(r#"{{"long":"{long}"}}"#), None),
            (format!(r#"{{"long" : "{long}" , "a":"{long}"}}"#), Some(28)),
            (format!(r#"{{"long":1,"{long}":1}}"#), Some(10)),
            (format!(r#"{{"long":["{long}"]}}"#), Some(9)),
            (format!(r#"{{"a":{{"long":"{long}"}}}}"#), Some(13)),
            (format!(r#"{{"a":"long","b":"{long}"}}"#), Some(16)),
            (format!(r#"{{"a":"12345678"}}{}"#, " ".repeat(9)), None),
            (format!(r#"{{"a":"\"{long}"#), Some(5)),
            (r#"{"long":-12345678.5e+1}"#.to_owned(), Some(8)),
            (r#"{"a":12345678,"b":87654321}"#.to_owned(), None),
        ] {
            let found = check_texts(text.as_bytes(), 8, "long").err();
            assert_eq!(found.map(|error| error.at), at, "{text}");
        }
    }

    #[test]
    fn errors_have_no_words_of_rust() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only errors are looked at")]
        struct Read {
            #[serde(default)]
            small: u8,
            #[serde(default)]
            long: u64,
            #[serde(default)]
            version: Option<std::num::NonZeroU32>,
            #[serde(default)]
            flag: bool,
            #[serde(default)]
            list: Vec<String>,
            #[serde(default)]
            inner: Option<Box<Read>>,
        }

        for (json, words) in [
            (
                r#"{"long":"5"}"#,
                "invalid type: string \"5\", expected a whole number, 0 or more at line 1 column 11",
            ),
            (r#"{"long":-1}"#, "invalid value: integer `-1`, expected a whole number, 0 or more at line 1"),
            (r#"{"small":256}"#, "expected a whole number from 0 to 255 at line 1"),
            (r#"{"version":0}"#, "expected a whole number from 1 to 4294967295 at line 1"),
            (r#"{"flag":"yes"}"#, "expected `true` or `false` at line 1"),
            (r#"{"list":{}}"#, "invalid type: object, expected an array at line 1"),
            (r#"{"inner":7}"#, "invalid type: integer `7`, expected an object at line 1"),
            (
                r#"{"long":", expected u64"}"#,
                "string \", expected u64\", expected a whole number, 0 or more at",
            ),
            (r#"{"list":[1]}"#, "invalid type: integer `1`, expected a string at line 1"),
            ("{", "EOF while parsing an object at line 1 column 1"),
        ] {
            let error = serde_json::from_str::<Read>(json).unwrap_err().to_string();
            let told = in_words_of_json(&error);
            assert!(told.contains(words), "{json}: {told}");
        }
    }
}

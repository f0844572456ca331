//! Lines for a person. Lines begin and end only where the program says so: a value within a line cannot end it, nor
//! control a terminal.

use std::fmt::{Arguments, Display, Write as _};

/// Lines of text, each of which is printed as one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(Vec<String>);

impl Lines {
    /// Adds a line.
    pub fn add(&mut self, line: impl AsRef<str>) {
        self.0.push(one_line(line.as_ref()));
    }

    /// Adds a line, as the macro `writeln!` passes it.
    pub fn write_fmt(&mut self, line: Arguments<'_>) {
        let line = line.to_string();
        self.add(line.strip_suffix('\n').unwrap_or(&line));
    }

    /// Returns the text of all lines, without a line end after the last one.
    pub fn text(&self) -> String {
        self.0.join("\n")
    }
}

impl<T: AsRef<str>> Extend<T> for Lines {
    fn extend<I: IntoIterator<Item = T>>(&mut self, lines: I) {
        lines.into_iter().for_each(|line| self.add(line));
    }
}

/// One line.
impl From<String> for Lines {
    fn from(line: String) -> Self {
        Self::from(vec![line])
    }
}

/// One line for each string.
impl From<Vec<String>> for Lines {
    fn from(lines: Vec<String>) -> Self {
        let mut all = Self::default();
        all.extend(lines);
        all
    }
}

/// Returns `text` as a part of one line. Characters that would end the line, control a terminal or change the direction
/// of text are escaped.
pub fn one_line(text: impl Display) -> String {
    let text = text.to_string();
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Escapes the characters that JSON permits and a terminal obeys. The JSON stays the same, because such characters
/// occur in strings only.
pub fn harmless_json(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for character in json.chars() {
        if steers(character) {
            // Each of them has four hexadecimal digits, because none lies beyond the basic plane.
            let _ = write!(harmless, "\\u{:04x}", u32::from(character));
        } else {
            harmless.push(character);
        }
    }
    harmless
}

/// Returns `true` if a terminal shows the bytes as plain text: lines and tabs, and nothing that controls the terminal.
pub fn is_harmless(bytes: &[u8]) -> bool {
    let is_plain = |character: char| matches!(character, '\n' | '\r' | '\t') || !steers(character);
    // A part of a text may begin or end within a character.
    String::from_utf8_lossy(bytes).chars().all(is_plain)
}

/// Returns `true` for a control character (C0, DEL, C1), for the end of a line or a paragraph, and for a character that
/// changes the direction of text (Unicode Standard Annex 9, section 2).
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORGED: &str = "a\n  + everything holds\r\u{1b}[2K\u{9b}2K\u{7f}\u{202e}gpj\u{2066}\u{2028}é\t\\n";

    #[test]
    fn a_value_makes_no_line_and_steers_nothing() {
        let mut lines = Lines::from(vec![format!("{FORGED}: verdict"), "  second".to_owned()]);
        let value = "\n";
        writeln!(lines, "  third: {value}");
        let text = lines.text();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.chars().all(|character| character == '\n' || !steers(character)), "{text:?}");
        assert!(text.contains("a\\n  + everything holds\\r\\u{1b}[2K\\u{9b}2K\\u{7f}\\u{202e}gpj"), "{text}");
        assert!(text.contains('é'), "text in other languages stays as it is");
    }

    #[test]
    fn json_is_the_same_and_harmless() {
        let value = serde_json::json!({ FORGED: FORGED });
        let json = harmless_json(&serde_json::to_string(&value).unwrap());
        assert!(!json.chars().any(steers), "{json:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }

    #[test]
    fn a_terminal_is_shown_text_alone() {
        assert!(is_harmless("{\n\t\"a\": \"é\"\r\n}".as_bytes()));
        for bytes in [b"\x1b[2K".as_slice(), b"\x00", "\u{9b}".as_bytes(), "\u{202e}".as_bytes()] {
            assert!(!is_harmless(bytes), "{bytes:?}");
        }
    }
}

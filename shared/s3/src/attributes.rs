//! The attributes of an object, as S3 headers.
//!
//! * **Metadata** goes into `x-amz-meta-` headers. A value that a header would not preserve (an empty one, blanks at
//!   its ends or in a row, characters other than visible ASCII) is written as an extended value of RFC 8187, section
//!   3.2: `UTF-8''%20x%20`. Values that CredLink itself writes never need it.
//! * **Tags** go into `x-amz-tagging`, encoded as a query (S3 API, PutObject). They are not read back with an object,
//!   because that would take a second call.
//! * **An absent media type** is written as `binary/octet-stream`, which is what S3 reports for such an object, and is
//!   read as absent.
//! * **The mark of the write** is one more entry, by which a writer whose answer was lost recognises its own write.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use aws_smithy_types::DateTime;
use credlink_core::object::{Attributes, Head, StoredTag};
use credlink_core::time::Timestamp;

/// The media type that S3 reports for an object without one.
const NO_TYPE: &str = "binary/octet-stream";

/// The metadata entry that identifies the write. It is never returned as an attribute.
const MARK: &str = "credlink-write";

/// The beginning of an extended value (RFC 8187, section 3.2.1), without a language.
const EXTENDED: &str = "UTF-8''";

/// The attributes in the form of headers.
pub(super) struct Headers {
    pub(super) content_type: String,
    pub(super) content_encoding: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) metadata: HashMap<String, String>,
    /// The value of `x-amz-tagging`.
    pub(super) tagging: Option<String>,
}

impl Headers {
    /// Returns the headers for `attributes`, with the mark of the write.
    pub(super) fn of(attributes: &Attributes, mark: Option<&str>) -> Self {
        let mut metadata: HashMap<_, _> =
            attributes.metadata.iter().map(|(name, value)| (name.clone(), encoded(value).into())).collect();
        if let Some(mark) = mark {
            metadata.insert(MARK.to_owned(), mark.to_owned());
        }
        let content_type = match attributes.content_type.as_str() {
            "" => NO_TYPE,
            said => said,
        };
        let pairs = attributes.tags.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value)));
        let tagging = pairs.collect::<Vec<_>>().join("&");
        Self {
            content_type: content_type.to_owned(),
            content_encoding: attributes.content_encoding.clone(),
            cache_control: attributes.cache_control.clone(),
            metadata,
            tagging: (!tagging.is_empty()).then_some(tagging),
        }
    }
}

/// The headers about an object in an answer to GET or HEAD.
pub(super) struct Said<'a> {
    pub(super) content_type: Option<&'a str>,
    pub(super) content_encoding: Option<&'a str>,
    pub(super) cache_control: Option<&'a str>,
    pub(super) metadata: Option<&'a HashMap<String, String>>,
    pub(super) size: u64,
    pub(super) tag: Option<&'a str>,
    pub(super) modified: Option<&'a DateTime>,
}

impl Said<'_> {
    /// Returns the head in the form of the port.
    pub(super) fn head(&self) -> Head {
        let attributes = Attributes {
            content_type: self.content_type.filter(|said| *said != NO_TYPE).unwrap_or_default().to_owned(),
            content_encoding: self.content_encoding.filter(|said| !said.is_empty()).map(str::to_owned),
            cache_control: self.cache_control.filter(|said| !said.is_empty()).map(str::to_owned),
            metadata: self.metadata.map(plain).unwrap_or_default(),
            tags: BTreeMap::new(),
        };
        let modified = self.modified.map_or(Timestamp::from_milliseconds(0), timestamp);
        Head { attributes, size: self.size, tag: tag(self.tag), modified }
    }
}

/// Returns the mark of the write that made an object.
pub(super) fn mark(metadata: Option<&HashMap<String, String>>) -> Option<&str> {
    metadata?.get(MARK).map(String::as_str)
}

fn plain(metadata: &HashMap<String, String>) -> BTreeMap<String, String> {
    let own = metadata.iter().filter(|(name, _)| *name != MARK);
    own.map(|(name, value)| (name.to_ascii_lowercase(), decoded(value))).collect()
}

/// Returns an `ETag` without its quotes, which some servers leave out.
pub(super) fn tag(etag: Option<&str>) -> StoredTag {
    StoredTag(etag.unwrap_or_default().trim_matches('"').to_owned())
}

/// Returns the `ETag` of a tag.
pub(super) fn etag(tag: &StoredTag) -> String {
    format!("\"{}\"", tag.0)
}

/// Returns a time in whole seconds: `Last-Modified` is no more precise, and a listing must not differ from it.
pub(super) fn timestamp(time: &DateTime) -> Timestamp {
    Timestamp::from_milliseconds(time.secs().saturating_mul(1_000))
}

fn encoded(value: &str) -> Cow<'_, str> {
    let visible = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let blanks = value.starts_with(' ') || value.ends_with(' ') || value.contains("  ");
    // `=?` begins an encoded word (RFC 2047), the form into which S3 converts text that is not ASCII.
    let taken = value.starts_with(EXTENDED) || value.starts_with("=?");
    if visible && !blanks && !taken && !value.is_empty() {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(format!("{EXTENDED}{}", escape(value)))
    }
}

fn decoded(value: &str) -> String {
    value.strip_prefix(EXTENDED).and_then(unescape).unwrap_or_else(|| value.to_owned())
}

/// Percent-encodes all characters except the unreserved ones (RFC 3986, section 2.3).
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => {
                escaped.push('%');
                escaped.push(digit(byte >> 4));
                escaped.push(digit(byte & 15));
            }
        }
    }
    escaped
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

/// Reverses [`escape`]. Returns `None` for a text that it never produces.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            byte
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(value: &str) -> Attributes {
        let entry = ("name".to_owned(), value.to_owned());
        Attributes { metadata: BTreeMap::from([entry]), ..Attributes::default() }
    }

    #[test]
    fn every_value_survives_and_usual_ones_are_plain() {
        let odd = ["", " ", " x", "x ", "a  b", "größe", "a\tb", "UTF-8''x", "=?UTF-8?Q?x?=", "%", "x\u{1}"];
        for value in odd.into_iter().chain(["x", "a b", "~!@ \"\\", "100%", "sha256:00"]) {
            let headers = Headers::of(&metadata(value), Some("mark"));
            let sent = &headers.metadata["name"];
            assert!(sent.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{sent}");
            assert!(!sent.is_empty() && sent.trim() == sent && !sent.contains("  "), "{sent}");
            assert_eq!(sent == value, !odd.contains(&value) || value == "%", "{value}");
            let said = Said {
                content_type: Some(&headers.content_type),
                content_encoding: None,
                cache_control: None,
                metadata: Some(&headers.metadata),
                size: 0,
                tag: Some("\"x\""),
                modified: None,
            };
            assert_eq!(said.head().attributes, metadata(value));
            assert_eq!(said.head().tag.0, "x");
            assert_eq!(mark(said.metadata), Some("mark"));
        }
    }

    #[test]
    fn tags_are_a_query() {
        let tags = [("Größe", "schön\n"), ("k", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let attributes = Attributes { tags: tags.into(), ..Attributes::default() };
        let tagging = Headers::of(&attributes, None).tagging;
        assert_eq!(tagging.as_deref(), Some("Gr%C3%B6%C3%9Fe=sch%C3%B6n%0A&k="));
        assert_eq!(Headers::of(&Attributes::default(), None).tagging, None);
    }
}

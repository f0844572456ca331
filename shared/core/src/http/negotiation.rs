//! Content negotiation: content codings (RFC 9110, section 12.5.3) and media types (section 12.5.1).

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING};

/// Returns `true` if a stored gzip coding may be sent as it is. A client without an `Accept-Encoding` gets the content
/// itself: readers such as c2pa-rs send no such header and decode nothing.
#[must_use]
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for value in headers.get_all(ACCEPT_ENCODING) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let quality = parts.find_map(quality).unwrap_or(1000);
            match coding.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => gzip = Some(quality),
                "*" => any = Some(quality),
                "identity" => identity = Some(quality),
                _ => {}
            }
        }
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// The weight that a client gives a media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The weight in thousandths. 0 if the client does not accept the type.
    pub thousandths: u32,
    /// `true` if the client names the type itself, and not just `image/*` or `*/*`: programs that know nothing of new
    /// formats write these.
    pub is_named: bool,
}

/// Returns the weight of a media type without parameters. The most specific range counts. A client without an `Accept`
/// accepts everything.
#[must_use]
pub fn weight(headers: &HeaderMap, media_type: &str) -> Weight {
    let (kind, _) = media_type.split_once('/').unwrap_or((media_type, ""));
    let (mut named, mut of_kind, mut any) = (None, None, None);
    let mut lines = headers.get_all(ACCEPT).iter().peekable();
    if lines.peek().is_none() {
        return Weight { thousandths: 1000, is_named: false };
    }
    for value in lines {
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default();
            let quality = parts.find_map(quality).unwrap_or(1000);
            if range.eq_ignore_ascii_case(media_type) {
                named = Some(quality);
            } else if range == "*/*" {
                any = Some(quality);
            } else if range.strip_suffix("/*").is_some_and(|range| range.eq_ignore_ascii_case(kind)) {
                of_kind = Some(quality);
            }
        }
    }
    Weight { thousandths: named.or(of_kind).or(any).unwrap_or(0), is_named: named.is_some() }
}

/// Returns a weight in thousandths (RFC 9110, section 12.4.2). A malformed weight counts as 0.
fn quality(parameter: &str) -> Option<u32> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value = value.trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(0);
    }
    let thousandths = format!("{fraction:0<3}").parse::<u32>().unwrap_or(0);
    Some(match whole {
        "0" => thousandths,
        "1" if thousandths == 0 => 1000,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_who_asks_for_it() {
        for (value, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("deflate, gzip;q=0.5", true),
            ("*", true),
            ("br, *;q=0.1", true),
            ("gzip;q=1.0, identity;q=0.5", true),
            ("identity, gzip;q=0.5", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("gzip;q=2", false),
            ("gzip;q=0.0001", false),
            ("identity", false),
            ("br", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
    #[test]
    fn the_most_specific_range_counts() {
        const CHROMIUM: &str = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
        for (accept, media_type, thousandths, is_named) in [
            (CHROMIUM, "image/webp", 1000, true),
            (CHROMIUM, "image/jpeg", 1000, false),
            (CHROMIUM, "application/pdf", 800, false),
            ("*/*", "image/webp", 1000, false),
            ("image/*;q=0.5, */*;q=0.1", "image/webp", 500, false),
            ("IMAGE/WEBP;q=0, image/*", "image/webp", 0, true),
            ("text/html", "image/webp", 0, false),
            ("image/webp ; q=0.25 ; x=1", "image/webp", 250, true),
            ("", "image/webp", 0, false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            let expected = Weight { thousandths, is_named };
            assert_eq!(weight(&headers, media_type), expected, "{accept} for {media_type}");
        }
        let nothing = HeaderMap::new();
        assert_eq!(weight(&nothing, "image/webp"), Weight { thousandths: 1000, is_named: false });
    }
}

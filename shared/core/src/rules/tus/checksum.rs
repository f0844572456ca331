//! `Upload-Checksum`: the hash of the bytes of one request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};

use crate::http::problem::Problem;

/// The header.
pub const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
/// The algorithms, as `Tus-Checksum-Algorithm` lists them. The protocol demands SHA-1, which finds accidents alone.
pub const ALGORITHMS: &str = "sha1,sha256";

/// The checksum that the body of a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-1.
    Sha1([u8; 20]),
    /// SHA-256.
    Sha256([u8; 32]),
}

impl Checksum {
    /// Returns the checksum that a request states, if it states one.
    ///
    /// # Errors
    /// 400 for an algorithm that the server lacks, or a value that is not a hash of it in Base64.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(value) = headers.get(UPLOAD_CHECKSUM) else { return Ok(None) };
        let detail = || {
            let detail = format!("the name of an algorithm ({ALGORITHMS}), a space, and the hash in Base64");
            Problem::field(UPLOAD_CHECKSUM.as_str(), detail)
        };
        let (name, hash) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(detail)?;
        let hash = STANDARD.decode(hash.trim()).map_err(|_| detail())?;
        let checksum = match name {
            "sha1" => hash.try_into().ok().map(Self::Sha1),
            "sha256" => hash.try_into().ok().map(Self::Sha256),
            _ => None,
        };
        checksum.map(Some).ok_or_else(detail)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_checksum_is_an_algorithm_and_a_hash() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(UPLOAD_CHECKSUM, HeaderValue::from_str(text).unwrap());
            Checksum::of(&headers)
        };
        assert_eq!(Checksum::of(&HeaderMap::new()), Ok(None));
        let sha1 = of("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").unwrap().unwrap();
        assert!(matches!(sha1, Checksum::Sha1([0x2a, 0xae, 0x6c, ..])), "{sha1:?}");
        let zeros = STANDARD.encode([0; 32]);
        assert_eq!(of(&format!("sha256 {zeros}")), Ok(Some(Checksum::Sha256([0; 32]))));
        for wrong in
            ["", "sha1", "sha1 ", "sha1 !", "sha1 AAAA", "md5 AAAA", &format!("sha1 {zeros}"), "SHA1 AAAA"]
        {
            assert_eq!(of(wrong).unwrap_err().kind.status().as_u16(), 400, "{wrong:?}");
        }
    }
}

//! The keys of signed links, and their text form `NAME:SECRET[,NAME:SECRET]`.

use std::str::FromStr;

/// Fewest bytes of a key: as many as the hash has (RFC 2104, section 3).
pub const MIN_KEY_BYTES: usize = 32;

/// A signing key, and the name by which links refer to it.
#[derive(Clone)]
pub struct LinkKey {
    pub(super) id: String,
    pub(super) secret: Vec<u8>,
}

/// A reason why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkKeyError {
    /// The name is not valid.
    #[error("a link key's id is 1 to 32 characters of a-z, A-Z, 0-9, `-` and `_`; this is `{0}`")]
    Id(String),
    /// The secret is too short.
    #[error("a link key has at least {MIN_KEY_BYTES} bytes; this has {0}")]
    Length(usize),
}

impl LinkKey {
    /// Returns a key with this name and secret.
    ///
    /// # Errors
    /// Fails if the name cannot stand in a URL, or the secret is too short.
    pub fn new(id: &str, secret: Vec<u8>) -> Result<Self, LinkKeyError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if id.is_empty() || id.len() > 32 || !id.bytes().all(allowed) {
            return Err(LinkKeyError::Id(id.to_owned()));
        }
        if secret.len() < MIN_KEY_BYTES {
            return Err(LinkKeyError::Length(secret.len()));
        }
        Ok(Self { id: id.to_owned(), secret })
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The key that signs, and the key that signed before it, so that a change of keys breaks no link.
#[derive(Clone, Debug)]
pub struct LinkKeys {
    /// The key that signs and checks.
    pub current: LinkKey,
    /// The earlier key, which only checks.
    pub previous: Option<LinkKey>,
}

/// A reason why text does not name keys. It holds none of the text, since names and secrets are easily mixed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkKeysError {
    /// There are more than two keys.
    #[error("there are at most two link keys: the one that signs, and the one before it")]
    Count,
    /// A key is not a name and a secret.
    #[error("a link key is written `NAME:SECRET`")]
    Form,
    /// A name cannot stand in a URL.
    #[error("a link key's name has 1 to 32 letters, digits, `-` and `_`")]
    Name,
    /// A secret is missing or too short.
    #[error("a link key's secret has {} hexadecimal digits or more, an even number of them", 2 * MIN_KEY_BYTES)]
    Secret,
}

impl FromStr for LinkKeys {
    type Err = LinkKeysError;

    /// Reads the `NAME:SECRET` of the key that signs and, after a comma, that of the key before it. White space around
    /// a key is ignored.
    fn from_str(text: &str) -> Result<Self, LinkKeysError> {
        let mut keys = text.split(',').map(one);
        let current = keys.next().unwrap_or(Err(LinkKeysError::Form))?;
        let previous = keys.next().transpose()?;
        if keys.next().is_some() {
            return Err(LinkKeysError::Count);
        }
        Ok(Self { current, previous })
    }
}

/// Reads one `NAME:SECRET`.
fn one(text: &str) -> Result<LinkKey, LinkKeysError> {
    let (name, secret) = text.trim().split_once(':').ok_or(LinkKeysError::Form)?;
    let mut bytes = vec![0; secret.len() / 2];
    base16ct::mixed::decode(secret, &mut bytes).map_err(|_| LinkKeysError::Secret)?;
    LinkKey::new(name, bytes).map_err(|error| match error {
        LinkKeyError::Id(_) => LinkKeysError::Name,
        LinkKeyError::Length(_) => LinkKeysError::Secret,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_name_and_enough_bytes() {
        assert_eq!(LinkKey::new("a b", vec![0; 32]).unwrap_err(), LinkKeyError::Id("a b".into()));
        assert_eq!(LinkKey::new("a", vec![0; 31]).unwrap_err(), LinkKeyError::Length(31));
    }

    #[test]
    fn one_key_or_two_are_read() {
        let (new, old) = ("ab".repeat(32), "CD".repeat(33));
        let keys: LinkKeys = format!("new:{new}").parse().unwrap();
        assert_eq!((keys.current.id.as_str(), &keys.current.secret[..]), ("new", &[0xab; 32][..]));
        assert!(keys.previous.is_none());
        let keys: LinkKeys = format!(" new:{new} , old:{old} ").parse().unwrap();
        assert_eq!(keys.current.id, "new");
        let previous = keys.previous.unwrap();
        assert_eq!((previous.id.as_str(), &previous.secret[..]), ("old", &[0xcd; 33][..]));
    }

    #[test]
    fn what_names_no_keys_is_refused_and_not_repeated() {
        let secret = "ab".repeat(32);
        for (text, why) in [
            (String::new(), LinkKeysError::Form),
            (secret.clone(), LinkKeysError::Form),
            (format!("a:{secret},"), LinkKeysError::Form),
            (format!("a:{secret},b:{secret},c:{secret}"), LinkKeysError::Count),
            (format!(":{secret}"), LinkKeysError::Name),
            (format!("{}:{secret}", "a".repeat(33)), LinkKeysError::Name),
            (format!("ä:{secret}"), LinkKeysError::Name),
            (format!("{secret}:a"), LinkKeysError::Secret),
            (format!("a:{}", &secret[..62]), LinkKeysError::Secret),
            (format!("a:{secret}a"), LinkKeysError::Secret),
            (format!("a: {secret}"), LinkKeysError::Secret),
        ] {
            let error = text.parse::<LinkKeys>().unwrap_err();
            assert_eq!(error, why, "{text}");
            assert!(!error.to_string().contains(&secret[..62]));
        }
    }
}

//! The members of a legacy record, before they are parsed.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::FieldsError;
use crate::bounds::MAX_LEGACY_FIELDS_BYTES;

/// The members of a record by name, as text.
#[derive(Default)]
pub(super) struct Members<'a> {
    pub(super) proof_id: Option<&'a RawValue>,
    pub(super) image_hash: Option<&'a RawValue>,
    pub(super) manifest: Option<&'a RawValue>,
    pub(super) signature: Option<&'a RawValue>,
    pub(super) timestamp: Option<&'a RawValue>,
    pub(super) expires_at: Option<&'a RawValue>,
    pub(super) rest: Vec<(String, &'a RawValue)>,
}

/// Reads the members.
pub(super) struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        let (mut names, mut length) = (BTreeSet::new(), 0_usize);
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            // If a member is there twice, nobody can say which of the two is right.
            let twice = |name: &str| A::Error::custom(format!("the member `{name}` is there twice"));
            let place = match name.as_str() {
                "proofId" => &mut members.proof_id,
                "imageHash" => &mut members.image_hash,
                "manifest" => &mut members.manifest,
                "signature" => &mut members.signature,
                "timestamp" => &mut members.timestamp,
                "expiresAt" => &mut members.expires_at,
                _ => {
                    // The 4 are a colon, a comma, and the quotes of the name.
                    length = length.saturating_add(name.len() + value.get().len() + 4);
                    if length > MAX_LEGACY_FIELDS_BYTES {
                        return Err(A::Error::custom(FieldsError::TooLong));
                    }
                    if !names.insert(name.clone()) {
                        return Err(twice(&name));
                    }
                    members.rest.push((name, value));
                    continue;
                }
            };
            if place.replace(value).is_some() {
                return Err(twice(&name));
            }
        }
        Ok(members)
    }
}

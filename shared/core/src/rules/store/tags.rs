//! The tags of a body.

use std::collections::BTreeMap;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::bounds::{MAX_TAG_KEY_CHARS, MAX_TAG_VALUE_CHARS, MAX_TAGS};
use crate::excerpt::excerpt;
use crate::http::problem::Problem;

/// Tags as they are written: no more than the bound, and the number that there are. serde would keep them all, and
/// silently let the last of two equal keys win.
#[derive(Default)]
pub(in crate::rules) struct Tags {
    kept: BTreeMap<String, String>,
    count: usize,
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Tags;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object whose members are text")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut kept = BTreeMap::new();
                while kept.len() < MAX_TAGS
                    && let Some((key, value)) = map.next_entry::<String, String>()?
                {
                    if kept.contains_key(&key) {
                        return Err(serde::de::Error::custom(format!("the tag `{key}` is given twice")));
                    }
                    kept.insert(key, value);
                }
                let mut count = kept.len();
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Tags { kept, count })
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// Checks tags.
pub(in crate::rules) fn tags(tags: Tags) -> Result<BTreeMap<String, String>, Problem> {
    let Tags { kept: tags, count } = tags;
    if count > MAX_TAGS {
        return Err(Problem::field("tags", format!("up to {MAX_TAGS} tags; these are {count}")));
    }
    for (key, value) in &tags {
        let allowed = is_allowed_in_a_tag;
        let key_fits = (1..=MAX_TAG_KEY_CHARS).contains(&key.chars().count());
        // "System tags begin with aws:": S3 refuses such keys from anybody else, in upper or lower case.
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            let detail = "a key that begins with `aws:` is kept for AWS's own tags; begin it otherwise";
            return Err(Problem::field(&format!("tags.{}", excerpt(key)), detail));
        }
        if !key_fits
            || value.chars().count() > MAX_TAG_VALUE_CHARS
            || !key.chars().chain(value.chars()).all(allowed)
        {
            return Err(Problem::field(
                &format!("tags.{}", excerpt(key)),
                format!(
                    "a tag has a key of 1 to {MAX_TAG_KEY_CHARS} and a value of up to {MAX_TAG_VALUE_CHARS} \
                     letters, digits, spaces and + - = . _ : / @; combining marks, which some scripts use, are not \
                     letters"
                ),
            ));
        }
    }
    Ok(tags)
}

/// Returns `true` for a character that S3 accepts in a tag: `[\p{L}\p{Z}\p{N}_.:/=+\-@]` (Amazon S3 API Reference,
/// "Tag"), and of the separators the space alone. [`char::is_alphanumeric`] also accepts the marks with which some
/// scripts write vowels.
fn is_allowed_in_a_tag(character: char) -> bool {
    use unicode_general_category::GeneralCategory as C;
    " +-=._:/@".contains(character)
        || matches!(
            unicode_general_category::get_general_category(character),
            C::UppercaseLetter
                | C::LowercaseLetter
                | C::TitlecaseLetter
                | C::ModifierLetter
                | C::OtherLetter
                | C::DecimalNumber
                | C::LetterNumber
                | C::OtherNumber
        )
}

//! The configuration of collections.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_path_to_error::Segment;

use super::check::{CollectionsError, check};
use super::defaults::defaults;
use super::{Collection, Profile};
use crate::bounds::{MAX_COLLECTIONS, MAX_COLLECTIONS_BYTES, MAX_JSON_DEPTH};
use crate::excerpt::excerpt;
use crate::file::{CollectionName, ProfileName};
use crate::json::{check_depth, in_words_of_json};

/// The version of the format that is read. There is no other.
const VERSION: u32 = 1;

/// The collections of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Collections(BTreeMap<CollectionName, Collection>);

/// The document, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    /// `false` leaves out the collections that are built in.
    #[serde(default = "yes")]
    defaults: bool,
    #[serde(default)]
    collections: Named,
}

const fn yes() -> bool {
    true
}

/// Collections by name. serde would silently let the last of two equal names win.
#[derive(Default)]
struct Named(BTreeMap<CollectionName, Collection>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Named;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with a member for each collection")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
                let mut named = BTreeMap::new();
                while let Some(name) = map.next_key::<CollectionName>()? {
                    if named.contains_key(&name) {
                        return Err(serde::de::Error::custom(format!("`{name}` is given twice")));
                    }
                    named.insert(name, map.next_value()?);
                }
                Ok(Named(named))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

impl Default for Collections {
    /// Returns the collections that are built in.
    fn default() -> Self {
        Self(defaults().collect())
    }
}

impl Collections {
    /// Reads the configuration: JSON, version 1. A collection that it names replaces the built-in one with the same name.
    ///
    /// # Errors
    /// [`CollectionsError`] says what is wrong and what is allowed.
    pub fn parse(text: &[u8]) -> Result<Self, CollectionsError> {
        if text.len() > MAX_COLLECTIONS_BYTES {
            return Err(CollectionsError::whole(format!("may have {MAX_COLLECTIONS_BYTES} bytes")));
        }
        check_depth(text, MAX_JSON_DEPTH).map_err(CollectionsError::whole)?;
        // serde also reads a struct from an array, member by member. No operator means that.
        if text.trim_ascii_start().first() == Some(&b'[') {
            return Err(CollectionsError::whole("the document is not a JSON object"));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let document: Document = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let detail = in_words_of_json(&error.inner().to_string());
            let detail = excerpt(&detail);
            let is_named = error.path().iter().any(|segment| matches!(segment, Segment::Map { .. }));
            match is_named {
                true => CollectionsError::at(error.path().to_string(), detail),
                false => CollectionsError::whole(detail),
            }
        })?;
        deserializer.end().map_err(CollectionsError::whole)?;
        if document.version != VERSION {
            let detail = format!("this program reads version {VERSION}, not {}", document.version);
            return Err(CollectionsError::at("version", detail));
        }
        let mut all = if document.defaults { Self::default().0 } else { BTreeMap::new() };
        let configured: BTreeSet<CollectionName> = document.collections.0.keys().cloned().collect();
        all.extend(document.collections.0);
        if all.is_empty() || all.len() > MAX_COLLECTIONS {
            let detail = format!("1 to {MAX_COLLECTIONS} collections, not {}", all.len());
            return Err(CollectionsError::at("collections", detail));
        }
        for (name, collection) in &all {
            check(name, collection)?;
        }
        check_shared(&all, &configured)?;
        Ok(Self(all))
    }

    /// Returns the collection with this name.
    #[must_use]
    pub fn get(&self, name: &CollectionName) -> Option<&Collection> {
        self.0.get(name)
    }

    /// Returns what is said of a name that no collection has: the names that there are.
    #[must_use]
    pub fn none_named(&self, name: &CollectionName) -> String {
        let names: Vec<String> = self.names().map(|name| format!("`{name}`")).collect();
        format!("there is no collection `{name}`; there are {}", names.join(", "))
    }

    /// Returns the names of all collections.
    pub fn names(&self) -> impl Iterator<Item = &CollectionName> {
        self.0.keys()
    }
}

/// Checks that profiles with the same name and version are the same: their renditions have the same keys. An error names a
/// place in the document, and not one in a collection that is built in.
fn check_shared(
    all: &BTreeMap<CollectionName, Collection>,
    configured: &BTreeSet<CollectionName>,
) -> Result<(), CollectionsError> {
    let mut known: BTreeMap<(&ProfileName, u32), (String, &Profile)> = BTreeMap::new();
    let (own, built_in): (Vec<_>, Vec<_>) = all.iter().partition(|(name, _)| configured.contains(*name));
    for (name, collection) in built_in.into_iter().chain(own) {
        for (place, profile) in collection.renditions.iter().enumerate() {
            let path = format!("collections.{name}.renditions[{place}]");
            match known.get(&(&profile.name, profile.version.get())) {
                Some((other, same)) if *same != profile => {
                    let detail = format!(
                        "the profile `{}` has the same version {} as {other}, and other settings; files with the same \
                         content share their renditions, so give one of the two another name or version",
                        profile.name, profile.version
                    );
                    return Err(CollectionsError::at(path, detail));
                }
                Some(_) => {}
                None => {
                    let whose = if configured.contains(name) { "" } else { ", which is built in" };
                    known.insert(
                        (&profile.name, profile.version.get()),
                        (format!("`{path}`{whose}"), profile),
                    );
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(members: &str) -> String {
        format!(
            r#"{{"version":1,"collections":{{"x":{{"version":1,"types":["image/jpeg"],"max_bytes":1000,"access":"public"{members}}}}}}}"#
        )
    }

    fn profile(members: &str) -> String {
        one(&format!(
            r#","renditions":[{{"name":"a","version":1,"fit":"inside","width":10,"height":10,"formats":[{{"format":"jpg"}}]{members}}}]"#
        ))
    }

    #[test]
    fn the_built_in_collections_are_those_of_the_documentation() {
        let built_in = Collections::default();
        insta::assert_snapshot!("built_in", serde_json::to_string_pretty(&built_in).unwrap());
        assert_eq!(built_in.names().count(), 4);
        // They pass the checks, and read back.
        let text = format!(
            r#"{{"version":1,"defaults":false,"collections":{}}}"#,
            serde_json::to_string(&built_in).unwrap()
        );
        assert_eq!(Collections::parse(text.as_bytes()), Ok(built_in.clone()));
        assert_eq!(Collections::parse(br#"{"version":1}"#), Ok(built_in));
    }

    #[test]
    fn a_configured_collection_stands_beside_or_replaces_a_built_in_one() {
        let all = Collections::parse(one("").as_bytes()).unwrap();
        assert_eq!(all.names().count(), 5);
        let x = all.get(&"x".parse().unwrap()).unwrap();
        assert_eq!((x.max_pixels, x.max_frames, x.max_per_entity()), (50_000_000, 1, 1_000));
        let replaced = one("").replace("\"x\"", "\"temp\"");
        let all = Collections::parse(replaced.as_bytes()).unwrap();
        assert_eq!(all.get(&"temp".parse().unwrap()).unwrap().max_bytes, 1_000);
        let alone = one("").replace("\"collections\"", "\"defaults\":false,\"collections\"");
        assert_eq!(Collections::parse(alone.as_bytes()).unwrap().names().count(), 1);
        assert_eq!(all.get(&"y".parse().unwrap()), None);
    }

    #[test]
    fn every_mistake_is_named_with_what_is_allowed() {
        let cases: [(String, &str); 36] = [
            (String::new(), "EOF"),
            ("[]".into(), "the document is not a JSON object"),
            (r#"{"version":2}"#.into(), "`version`: this program reads version 1, not 2"),
            (
                r#"{"version":1,"x":1}"#.into(),
                "unknown field `x`, expected one of `version`, `defaults`, `collections`",
            ),
            (r#"{"version":1,"defaults":false}"#.into(), "`collections`: 1 to 100 collections, not 0"),
            (r#"{"version":1} x"#.into(), "trailing characters"),
            (one("").replace("\"x\":", "\"X\":"), "the name of a collection is 1 to 40 characters"),
            (one(r#"},"x":{"version":1"#), "`x` is given twice"),
            (one(r#","sizes":[]"#), "unknown field `sizes`"),
            (
                one("").replace("image/jpeg", "image/svg+xml"),
                "`collections.x.types[0]`: `image/jpeg`, `image/png`",
            ),
            (one("").replace("\"image/jpeg\"", ""), "`collections.x.types`: name one media type or more"),
            (
                one("").replace(":1000", ":\"25 MB\""),
                "`collections.x.max_bytes`: invalid type: string \"25 MB\", expected a whole number, 0 or more",
            ),
            (
                one("").replace("\"x\":{\"version\":1", "\"x\":{\"version\":0"),
                "`collections.x.version`: invalid value: integer `0`, expected a whole number from 1",
            ),
            (one("").replace(":1000", ":0"), "`collections.x.max_bytes`: 1 to 5497558138880, not 0"),
            (
                one("").replace("\"public\"", "\"all\""),
                "`collections.x.access`: `public`, `authenticated` or `private`, not `all`",
            ),
            (one(r#","max_pixels":100000001"#), "`collections.x.max_pixels`: 1 to 100000000, not 100000001"),
            (one(r#","max_frames":0"#), "`collections.x.max_frames`: 1 to 200, not 0"),
            (one(r#","max_frames":2"#), "`collections.x.max_frames`: 1, because `animation` is `refuse`"),
            (
                one(r#","animation":"keep""#),
                "`collections.x.max_frames`: 2 to 200, because `animation` is `keep`",
            ),
            (
                one(r#","animation":"flatten""#),
                "`collections.x.animation`: unknown variant `flatten`, expected `refuse` or `keep`",
            ),
            (one(r#","max_per_entity":0"#), "`collections.x.max_per_entity`: 1 to 1000, not 0"),
            (
                one(r#","widest_access":"private""#),
                "`collections.x.access`: at most `private`, which is `widest_access`, not `public`",
            ),
            (
                one(r#","metadata":{"published":"keep"}"#),
                "`collections.x.metadata.published`: `strip`, because pictures",
            ),
            (
                one(r#","metadata":{"extract":["gps"]}"#),
                "`collections.x.metadata.extract[0]`: unknown variant `gps`, expected one of `camera`, `time`, `exposure`, `location`",
            ),
            (one(r#","expires_in":0"#), "`collections.x.expires_in`: 60 to 315360000, not 0"),
            (one(r#","provenance":"signed""#), "expected one of `none`, `bind`, `sign`"),
            (one(r#","cache":"30d""#), "expected `by-type` or `none`"),
            (
                profile("").replace("image/jpeg", "application/pdf"),
                "`collections.x.renditions`: none, because `types` has no picture",
            ),
            (
                profile("").replace("\"width\":10", "\"width\":4097"),
                "`collections.x.renditions[0].width`: 1 to 4096, not 4097",
            ),
            (
                profile("").replace("\"height\":10", "\"height\":0"),
                "`collections.x.renditions[0].height`: 1 to 4096, not 0",
            ),
            (profile("").replace("\"a\"", "\"original\""), "`original` is taken"),
            (
                profile("").replace("[{\"format\":\"jpg\"}]", "[]"),
                "`collections.x.renditions[0].formats`: `jpg` or `png` must be among them",
            ),
            (
                profile("").replace("\"jpg\"", "\"webp\""),
                "`collections.x.renditions[0].formats`: `jpg` or `png` must be among them",
            ),
            (
                profile("").replace("{\"format\":\"jpg\"}", "{\"format\":\"jpg\"},{\"format\":\"jpg\"}"),
                "`collections.x.renditions[0].formats[1]`: `jpg` is given twice",
            ),
            (
                profile("").replace("\"jpg\"", "\"jpg\",\"quality\":101"),
                "`collections.x.renditions[0].formats[0].quality`: 1 to 100, not 101",
            ),
            (
                profile("").replace("\"jpg\"", "\"png\",\"progressive\":true"),
                "`collections.x.renditions[0].formats[0].progressive`: only `jpg` can be progressive",
            ),
        ];
        let mut wrong = Vec::new();
        for (text, part) in cases {
            let error = Collections::parse(text.as_bytes()).expect_err(&text).to_string();
            if !error.contains(part) {
                wrong.push(format!("{error}\nwithout {part}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let long = vec![b' '; MAX_COLLECTIONS_BYTES + 1];
        assert!(Collections::parse(&long).unwrap_err().to_string().contains("262144 bytes"));
    }

    #[test]
    fn profiles_with_one_name_and_version_are_one_profile() {
        let other = profile("").replace("\"a\"", "\"medium\"");
        let error = Collections::parse(other.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("`collections.x.renditions[0]`: the profile `medium`"), "{error}");
        assert!(error.contains("as `collections.item-photo.renditions[1]`, which is built in"), "{error}");
        assert!(error.contains("give one of the two another name or version"), "{error}");
        // The place is in the document, also if its collection comes before the built-in one.
        let early = other.replace("\"x\"", "\"a-photo\"");
        let error = Collections::parse(early.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("`collections.a-photo.renditions[0]`: the profile `medium`"), "{error}");
        let newer = other.replace("\"medium\",\"version\":1", "\"medium\",\"version\":2");
        assert!(Collections::parse(newer.as_bytes()).is_ok());
        let twice = profile("").replace("}]}]", r#"}]},{"name":"a","version":2,"fit":"inside","width":10,"height":10,"formats":[{"format":"jpg"}]}]"#);
        let error = Collections::parse(twice.as_bytes()).unwrap_err().to_string();
        let place =
            "`collections.x.renditions[1].name`: `a` is already the name of `collections.x.renditions[0]`";
        assert!(error.contains(place), "{error}");
    }
}

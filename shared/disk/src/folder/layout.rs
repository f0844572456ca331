//! The places of objects' files.
//!
//! `proofs/ym32…` is the file `proofs/ym/ym32…`, its revision 7 is `proofs/ym/ym32…@7`, and the manifest
//! `manifests/urn%3Ac2pa%3Af916…` is `manifests/urn=c2pa=f9/urn=c2pa=f916…`.
//!
//! * `%3A` is written `=` and `/` is written `@`, neither of which a key contains. So a manifest ID of 200 bytes fits
//!   the 255 bytes that file systems allow for a name, which it would not with three bytes for each colon; and a record
//!   and its revisions need no directory of the record's name.
//! * A capital letter is written as `+` and the small letter: the alias `P-1` is `aliases/+p-/+p-1`. File systems of
//!   macOS and Windows do not distinguish names that differ in case alone, and two objects would share one file. The
//!   digits of an escape (`%C3`) stay as they are, since they have one spelling.
//! * A shard's name is always a *prefix* of the names in it, with the exception below. Whole shards can therefore be
//!   ordered against keys, and a listing opens only those that its page touches. Base32 gives 1,024 shards of records,
//!   and two hexadecimal digits give 256 of manifests: 1,000,000 objects make about 1,000 and 4,000 for each shard.
//! * A name that capital letters make longer than file systems allow is cut in two: its beginning is the name of a
//!   shard, which contains the rest behind a `!`.

/// The common beginnings of manifest IDs, as file names; a UUID follows them, and is well distributed. An ID with
/// another beginning is sharded by its first two characters. The list is closed, because otherwise every beginning that
/// a client invents would become a directory.
const COMMON_BEGINNINGS: [&str; 5] =
    ["urn=c2pa=", "urn=uuid=", "contentauth=urn=uuid=", "adobe=urn=uuid=", "com.truepic=urn=uuid="];

/// The number of characters after the common beginning that choose the shard.
const SHARD_CHARACTERS: usize = 2;

/// The maximum length of a file name, in bytes.
const MAX_NAME_BYTES: usize = 255;
/// The length in bytes of the shard of a longer name. The longest name, 411 bytes, leaves less than a file name's
/// length after it.
const LONG_SHARD_BYTES: usize = 200;
/// The first character of a file name that does not repeat the name of its shard.
const REST: char = '!';
/// The prefix of a capital letter, which is written as the small one.
const CAPITAL: char = '+';

/// The suffix of the path of a file that is not where an object's file belongs: no key contains `#`.
const MISPLACED: &str = "#misplaced";

/// The place of a file below the folder's `objects` directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ObjectPath {
    /// The key up to its first `/`.
    pub(super) top: String,
    /// The directory of the shard.
    pub(super) shard: String,
    /// The file's name.
    pub(super) name: String,
}

impl ObjectPath {
    /// Returns the place of the object under `key`.
    pub(super) fn of(key: &str) -> Self {
        let (top, rest) = key.split_once('/').unwrap_or(("", key));
        let name = without_case(&rest.replace("%3A", "=").replace('/', "@"));
        let (length, is_long) = if name.len() > MAX_NAME_BYTES {
            (ends(&name).take_while(|end| *end <= LONG_SHARD_BYTES).last().unwrap_or_default(), true)
        } else {
            let common = COMMON_BEGINNINGS.iter().find(|start| name.starts_with(**start));
            let common = common.map_or(0, |start| start.len());
            let chosen = ends(&name).filter(|end| *end > common).take(SHARD_CHARACTERS).last();
            (chosen.unwrap_or(common), false)
        };
        let (shard, rest) = name.split_at(length);
        let shard = shard.to_owned();
        let name = if is_long { format!("{REST}{rest}") } else { name };
        Self { top: top.to_owned(), shard, name }
    }

    /// Returns the key of the file at this place, or a text that is not a key if no object belongs here. Either begins
    /// with [`shard_start`].
    pub(super) fn key(&self) -> String {
        let start = shard_start(&self.top, &self.shard);
        let key = match self.name.strip_prefix(REST) {
            Some(rest) => format!("{start}{}", plain(rest)),
            None => format!("{}/{}", self.top, plain(&self.name)),
        };
        if Self::of(&key) == *self { key } else { misplaced(&format!("{start}/{}", plain(&self.name))) }
    }
}

/// Returns the common beginning of all keys in a shard.
pub(super) fn shard_start(top: &str, shard: &str) -> String {
    format!("{top}/{}", plain(shard))
}

/// Returns the name under which a listing shows a file that is not an object's.
pub(super) fn misplaced(path: &str) -> String {
    format!("{path}{MISPLACED}")
}

/// Returns the name with each capital letter, except the digits of an escape, written as [`CAPITAL`] and the small
/// letter.
fn without_case(name: &str) -> String {
    let mut written = String::with_capacity(name.len());
    let mut escape = 0;
    for character in name.chars() {
        if escape == 0 && character.is_ascii_uppercase() {
            written.push(CAPITAL);
            written.push(character.to_ascii_lowercase());
        } else {
            written.push(character);
        }
        escape = if character == '%' { 2 } else { u8::saturating_sub(escape, 1) };
    }
    written
}

/// Returns the positions at which a character ends in a name that [`without_case`] has written: after a letter, and not
/// between it and its [`CAPITAL`].
fn ends(name: &str) -> impl Iterator<Item = usize> + '_ {
    name.char_indices()
        .filter(|(_, character)| *character != CAPITAL)
        .map(|(at, character)| at + character.len_utf8())
}

fn plain(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    let mut is_capital = false;
    for character in name.chars() {
        match character {
            CAPITAL if !is_capital => is_capital = true,
            '=' if !is_capital => key.push_str("%3A"),
            '@' if !is_capital => key.push('/'),
            _ => {
                key.push(if is_capital { character.to_ascii_uppercase() } else { character });
                is_capital = false;
            }
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use credlink_core::manifest_key::ManifestKey;
    use credlink_core::object::ObjectKey;
    use credlink_core::time::Timestamp;

    use super::*;

    fn path(key: &str) -> String {
        let ObjectPath { top, shard, name } = ObjectPath::of(key);
        format!("{top}/{shard}/{name}")
    }

    #[test]
    fn places_are_fixed() {
        let record = "proofs/ym32rzlpvukwoewqzin4wsrs3w55fqze";
        assert_eq!(path(record), "proofs/ym/ym32rzlpvukwoewqzin4wsrs3w55fqze");
        assert_eq!(path(&format!("{record}/7")), "proofs/ym/ym32rzlpvukwoewqzin4wsrs3w55fqze@7");
        assert_eq!(path("manifests/urn%3Ac2pa%3Af9168c5e"), "manifests/urn=c2pa=f9/urn=c2pa=f9168c5e");
        assert_eq!(path("manifests/adobetest%3A1"), "manifests/ad/adobetest=1");
        assert_eq!(path("manifests/a%3A"), "manifests/a=/a=");
        assert_eq!(path("manifests/a%3AC%C3%96d"), "manifests/a=/a=+c%C3%96d");
        assert_eq!(path("aliases/P-1"), "aliases/+p-/+p-1");
        assert_eq!(path("manifests/urn%3Ac2pa%3AACME"), "manifests/urn=c2pa=+a+c/urn=c2pa=+a+c+m+e");
    }

    /// Two objects stay apart even on file systems that do not distinguish `A` from `a`.
    #[test]
    fn no_two_keys_have_names_that_differ_in_case_alone() {
        let long = |letter: &str| {
            let id = format!("urn:c2pa:{}", letter.repeat(151 / letter.len()));
            let tenant = "t".repeat(60).parse().unwrap();
            let hold = ObjectKey::Hold(ManifestKey { id: id.parse().unwrap(), tenant }, u32::MAX);
            ObjectKey::Removed(Timestamp::from_milliseconds(1_798_761_600_000), Box::new(hold)).to_string()
        };
        let mixed = long("aB");
        let groups = [
            vec!["aliases/p-1".to_owned(), "aliases/P-1".to_owned()],
            ["", "%2B"].map(|more| ["a", "A"].map(|a| format!("aliases/{a}b{more}"))).concat(),
            ["acme", "Acme", "aCme", "ACME"]
                .map(|name| format!("manifests/urn%3Ac2pa%3Ax%3A{name}"))
                .to_vec(),
            ["urn", "URN"].map(|urn| format!("fronts/{urn}%3Ac2pa%3Ax")).to_vec(),
            [long("a"), long("A"), long("Ab"), mixed].to_vec(),
        ];
        for keys in groups {
            let mut folded: Vec<String> = keys.iter().map(|key| path(key).to_ascii_lowercase()).collect();
            let many = folded.len();
            folded.sort();
            folded.dedup();
            assert_eq!(folded.len(), many, "{folded:?}");
        }
    }

    #[test]
    fn every_place_leads_back_to_its_key_and_lies_in_its_shard() {
        let longest = format!("urn:c2pa:{}", ":".repeat(151));
        assert_eq!(longest.len(), 160);
        let escaped = format!("urn:c2pa:{}", "=".repeat(50));
        let [capitals, mixed] = ["A".repeat(151), "Ab".repeat(75)].map(|name| format!("urn:c2pa:{name}"));
        let others = [
            "urn:c2pa:x:a+b@c=d",
            "urn:c2pa:=@",
            "urn:c2pa:größe",
            "URN:c2pa:GRÖẞE:A",
            "urn:c2pa:x:A!b!C",
            escaped.as_str(),
            capitals.as_str(),
            mixed.as_str(),
        ];
        for id in ["urn:c2pa:x", "urn:c2pa:", "urn:c2pa::::", "a:b.C_d-e", "9:", longest.as_str()]
            .into_iter()
            .chain(others)
        {
            let manifest = ManifestKey { id: id.parse().unwrap(), tenant: "t".repeat(60).parse().unwrap() };
            let hold = ObjectKey::Hold(manifest.clone(), u32::MAX);
            let at = Timestamp::from_milliseconds(1_798_761_600_000);
            let plain = ObjectKey::Manifest(id.parse().unwrap());
            for key in [plain, ObjectKey::Manifest(manifest), ObjectKey::Removed(at, Box::new(hold))] {
                let key = key.to_string();
                let place = ObjectPath::of(&key);
                assert_eq!(place.key(), key);
                assert!(key.starts_with(&shard_start(&place.top, &place.shard)), "{key}");
                for name in [&place.name, &place.shard] {
                    assert!(name.len() <= MAX_NAME_BYTES, "{key}: {}", name.len());
                }
            }
        }
    }

    #[test]
    fn a_file_in_the_wrong_place_never_passes_for_an_object() {
        let record = "ym32rzlpvukwoewqzin4wsrs3w55fqze";
        for (shard, name) in [
            ("zz", record),
            (record, "7"),
            ("ym", "ym=x@y.."),
            ("urn%3A", "x"),
            ("ym", "YM32RZLPVUKWOEWQZIN4WSRS3W55FQZE"),
            ("ym", "!32rzlpvukwoewqzin4wsrs3w55fqze"),
            ("+", "+"),
            ("ym", "ym+"),
        ] {
            let place = ObjectPath { top: "proofs".into(), shard: shard.into(), name: name.into() };
            assert!(place.key().parse::<ObjectKey>().is_err(), "{}", place.key());
            assert!(place.key().starts_with(&shard_start("proofs", shard)));
        }
    }
}

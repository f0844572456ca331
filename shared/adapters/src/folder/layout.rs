//! Where an object's file stands.
//!
//! `proofs/ym32…` stands in `proofs/ym/ym32…`, its revision 7 in `proofs/ym/ym32…@7`, and the manifest
//! `manifests/urn%3Ac2pa%3Af916…` in `manifests/urn=c2pa=f9/urn=c2pa=f916…`.
//!
//! * `%3A` is written `=` and `/` is written `@`, neither of which a key contains. So a manifest id of 200 bytes fits
//!   the 255 bytes that file systems allow for a name, which it would not with three bytes a colon; and a record and
//!   its revisions need no directory of the record's name.
//! * A shard's name is always a *prefix* of the names in it. Whole shards can therefore be ordered against keys, and
//!   a listing opens only those that its page touches. Base32 gives 1,024 shards of records, two hexadecimal digits
//!   256 of manifests: 1,000,000 objects make about 1,000 and 4,000 a shard.

/// The beginnings of manifest ids in the wild, as file names; what follows them is a UUID, and well distributed. An id
/// that begins in another way is sharded by its first two characters. The list is closed because a shard for every
/// beginning that a client thinks of would be a directory for every beginning that a client thinks of.
const COMMON_BEGINNINGS: [&str; 5] =
    ["urn=c2pa=", "urn=uuid=", "contentauth=urn=uuid=", "adobe=urn=uuid=", "com.truepic=urn=uuid="];

/// Characters of a name that choose its shard, behind its common beginning.
const SHARD_CHARACTERS: usize = 2;

/// Behind the path of a file that stands where no object's file does: `#` is in no key.
const MISPLACED: &str = "#misplaced";

/// Where a file stands, from the folder's `objects` directory on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The key up to its first `/`.
    pub(super) top: String,
    /// The directory in there.
    pub(super) shard: String,
    /// The file's name.
    pub(super) name: String,
}

impl Place {
    /// The place of the object under `key`.
    pub(super) fn of(key: &str) -> Self {
        let (top, rest) = key.split_once('/').unwrap_or(("", key));
        let name = rest.replace("%3A", "=").replace('/', "@");
        let common = COMMON_BEGINNINGS.iter().find(|start| name.starts_with(**start)).map_or(0, |s| s.len());
        let shard = name[..common].chars().chain(name[common..].chars().take(SHARD_CHARACTERS)).collect();
        Self { top: top.to_owned(), shard, name }
    }

    /// The key of the file that stands here: an object's key, or a text that is none if no object belongs here.
    /// Either one begins with [`shard_start`].
    pub(super) fn key(&self) -> String {
        let key = format!("{}/{}", self.top, plain(&self.name));
        if Self::of(&key) == *self {
            key
        } else {
            misplaced(&format!("{}/{}", shard_start(&self.top, &self.shard), plain(&self.name)))
        }
    }
}

/// What every key in a shard begins with.
pub(super) fn shard_start(top: &str, shard: &str) -> String {
    format!("{top}/{}", plain(shard))
}

/// What a listing calls a file that is no object's.
pub(super) fn misplaced(path: &str) -> String {
    format!("{path}{MISPLACED}")
}

fn plain(name: &str) -> String {
    name.replace('=', "%3A").replace('@', "/")
}

#[cfg(test)]
mod tests {
    use credlink_core::manifest_key::ManifestKey;
    use credlink_core::object::ObjectKey;
    use credlink_core::time::Timestamp;

    use super::*;

    fn path(key: &str) -> String {
        let Place { top, shard, name } = Place::of(key);
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
    }

    #[test]
    fn every_place_leads_back_to_its_key_and_lies_in_its_shard() {
        let longest = format!("urn:c2pa:{}", ":".repeat(151));
        assert_eq!(longest.len(), 160);
        let escaped = format!("urn:c2pa:{}", "=".repeat(50));
        let others = ["urn:c2pa:x:a+b@c=d", "urn:c2pa:=@", "urn:c2pa:größe", escaped.as_str()];
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
                let place = Place::of(&key);
                assert_eq!(place.key(), key);
                assert!(key.starts_with(&shard_start(&place.top, &place.shard)), "{key}");
                assert!(place.name.len() <= 255, "{key}: {}", place.name.len());
            }
        }
    }

    #[test]
    fn a_file_in_the_wrong_place_never_passes_for_an_object() {
        let record = "ym32rzlpvukwoewqzin4wsrs3w55fqze";
        for (shard, name) in [("zz", record), (record, "7"), ("ym", "ym=x@y.."), ("urn%3A", "x")] {
            let place = Place { top: "proofs".into(), shard: shard.into(), name: name.into() };
            assert!(place.key().parse::<ObjectKey>().is_err(), "{}", place.key());
            assert!(place.key().starts_with(&shard_start("proofs", shard)));
        }
    }
}

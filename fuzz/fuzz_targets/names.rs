//! Every kind of name from arbitrary text: a name that can be read has only one spelling, and reads back as the same
//! name.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use credlink_core::file::{
    BlobId, CollectionName, EntityRef, FileId, FileList, MediaName, OwnerId, ProfileName, RenditionName,
    UploadId,
};
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(milliseconds) = bytes.first_chunk() {
        let instant = Timestamp::from_milliseconds(i64::from_le_bytes(*milliseconds));
        assert_eq!(instant.to_string().parse(), Ok(instant), "every instant can be written");
    }
    let Ok(text) = str::from_utf8(bytes) else { return };

    // There is only one spelling, since a second one would be a second URL, a second object or a second row.
    let names = [
        written::<ProofId>(text),
        written::<Tenant>(text),
        written::<ObjectKey>(text),
        written::<BlobId>(text),
        written::<FileId>(text),
        written::<UploadId>(text),
        written::<CollectionName>(text),
        written::<ProfileName>(text),
        written::<OwnerId>(text),
        written::<EntityRef>(text),
        written::<RenditionName>(text),
        written::<MediaName>(text),
        written::<FileList>(text),
    ];
    for only in names.into_iter().flatten() {
        assert_eq!(only, text);
    }
    written::<Timestamp>(text);
    written::<ManifestKey>(text);
    if let Some(canonical) = written::<Digest>(text) {
        assert_eq!(canonical, text.to_ascii_lowercase(), "only the case of a digest is free");
    }
    if let Some(canonical) = written::<MediaHash>(text) {
        let digest = text.strip_prefix("sha256:").unwrap_or(text);
        assert_eq!(canonical, format!("sha256:{}", digest.to_ascii_lowercase()));
    }
    if let Some(canonical) = written::<ManifestId>(text) {
        assert!(canonical.eq_ignore_ascii_case(text), "only the case of a UUID is free");
    }

    let keys = [
        text.parse().ok(),
        text.parse().ok().map(ObjectKey::Manifest),
        text.parse().ok().map(ObjectKey::Record),
    ];
    for key in keys.into_iter().flatten() {
        let path = key.to_string();
        assert_eq!(path.parse(), Ok(key), "a key reads back as itself");
        assert!(!path.contains([':', '\\', '\0']) && path.is_ascii(), "every file system can hold {path}");
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path} stays in its folder");
    }
});

/// The spelling of a name, if `text` is one.
fn written<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<String> {
    let name: T = text.parse().ok()?;
    let canonical = name.to_string();
    match canonical.parse::<T>() {
        Ok(again) => assert_eq!(again, name, "{canonical} reads back as the same name"),
        Err(_) => panic!("{canonical}, written for {text}, does not read back"),
    }
    Some(canonical)
}

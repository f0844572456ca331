use proptest::prelude::*;

use super::*;
use crate::bounds::{MAX_JSON_DEPTH, MAX_LEGACY_ID_BYTES};
use crate::time::Timestamp;

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn record(change: impl Fn(String) -> String) -> Result<LegacyRecord, LegacyError> {
    let text = format!(
        r#"{{"proofId":"p-1","imageHash":"{HASH}","manifest":{{ "title" : 1.0 }},"signature":"c2ln","timestamp":1767225600000}}"#
    );
    LegacyRecord::parse(change(text).as_bytes())
}

#[test]
fn a_record_is_read_and_its_manifest_is_kept_to_the_byte() {
    let read = record(|text| text).unwrap();
    assert_eq!((read.id.as_str(), read.media_hash.to_string()), ("p-1", format!("sha256:{HASH}")));
    assert_eq!(&**read.manifest.bytes(), b"{ \"title\" : 1.0 }");
    assert_eq!((read.signature.as_deref(), read.created.milliseconds()), (Some("c2ln"), 1_767_225_600_000));
    assert!(read.expires.is_none() && read.fields.is_none());
}

#[test]
fn a_manifest_that_names_another_file_is_refused_however_the_member_is_written() {
    let other = "0".repeat(64);
    let named = |member: &str, hash: &str| {
        record(|text| text.replace(r#""title" : 1.0"#, &format!(r#""title":1.0,"{member}":"{hash}""#)))
    };
    for member in ["imageHash", "media_hash", r"image\u0048ash", r"media\u005fhash"] {
        assert!(named(member, HASH).is_ok(), "{member}");
        let refused = named(member, &other);
        assert!(matches!(refused, Err(LegacyError::Binding { .. })), "{member}: {refused:?}");
    }
    // Another member is none of them, and neither is a value.
    assert!(named("image_hash", &other).is_ok());
    assert!(record(|text| text.replace("1.0", "\"imageHash\"")).is_ok());
}

#[test]
fn every_spelling_is_read() {
    let prefixed = record(|text| text.replace(HASH, &format!("sha256:{}", HASH.to_uppercase()))).unwrap();
    assert_eq!(prefixed.media_hash.to_string(), format!("sha256:{HASH}"));
    let dated =
        record(|text| text.replace("1767225600000", "\"2026-01-01T00:00:00Z\",\"expiresAt\":1798761600000"));
    let dated = dated.unwrap();
    assert_eq!(dated.created.milliseconds(), 1_767_225_600_000);
    assert_eq!(dated.expires.map(Timestamp::milliseconds), Some(1_798_761_600_000));
    let bare = record(|text| text.replace("\"c2ln\"", "null")).unwrap();
    assert_eq!((bare.signature, bare.expires), (None, None));
}

#[test]
fn what_is_not_ours_is_kept_as_it_stands() {
    let more = r#","metadata":{"a" : [1.50]},"x\"y":null}"#;
    let read = record(|text| format!("{}{more}", text.strip_suffix('}').unwrap())).unwrap();
    assert_eq!(read.fields.unwrap().get(), r#"{"metadata":{"a" : [1.50]},"x\"y":null}"#);
}

#[test]
fn what_is_wrong_is_said() {
    for (from, to, says) in [
        ("\"proofId\":\"p-1\",", "", "the member `proofId` is missing"),
        ("\"p-1\"", "null", "the member `proofId` is missing"),
        ("\"p-1\"", "7", "`proofId`: it has to be a text"),
        ("\"p-1\"", "\"../x\"", "`proofId`: a legacy id is made of letters"),
        ("e3b0", "e3bx", "`imageHash`: a SHA-256 digest is 64 hexadecimal digits; character 4 is not one"),
        ("{ \"title\" : 1.0 }", "[]", "`manifest`: a JSON manifest is an object"),
        ("\"c2ln\"", "{}", "`signature`: it has to be a text"),
        (
            "1767225600000",
            "1767225600",
            "1767225600 would be before March 1973: it most likely counts seconds",
        ),
        ("1767225600000", "\"yesterday\"", "not `yesterday`"),
        ("1767225600000", "1.5", "`timestamp`: it has to be a whole number"),
        ("\"signature\"", "\"manifest\"", "the member `manifest` is there twice"),
        ("1767225600000}", "1767225600000", "this is not a legacy record"),
        ("1767225600000}", "1767225600000}{}", "this is not a legacy record"),
    ] {
        let error = record(|text| text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(says), "{from} -> {to}: {error}");
    }
    assert!(matches!(LegacyRecord::parse(b"[]"), Err(LegacyError::NotAnObject(_))));
    let deep = record(|text| text.replace("1.0", &"[".repeat(MAX_JSON_DEPTH)));
    assert!(matches!(deep, Err(LegacyError::TooDeep(_))), "{deep:?}");
}

#[test]
fn ids_are_names_in_a_path() {
    for id in ["a", "7", "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4", "proof_1.2~3:4"] {
        assert_eq!(id.parse::<LegacyId>().map(|id| id.to_string()), Ok(id.to_owned()));
    }
    for (id, error) in [
        ("", LegacyIdError::Length(0)),
        ("..", LegacyIdError::Character(1)),
        ("a/b", LegacyIdError::Character(2)),
        ("a b", LegacyIdError::Character(2)),
        ("ä", LegacyIdError::Character(1)),
    ] {
        assert_eq!(id.parse::<LegacyId>(), Err(error), "{id}");
    }
    assert!("x".repeat(MAX_LEGACY_ID_BYTES + 1).parse::<LegacyId>().is_err());
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in "\\PC{0,80}") {
        prop_assert!(LegacyRecord::parse(text.as_bytes()).is_err());
    }
}

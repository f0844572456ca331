use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::bounds::DEFAULT_LIFETIME_SECONDS;
use crate::hash::Digest;
use crate::testing::manifest_store;

fn parse(body: &str) -> Result<Draft, Problem> {
    Draft::parse(body.as_bytes(), Tenant::default(), None)
}

fn hash() -> String {
    MediaHash::of(b"the picture").to_string()
}

#[test]
fn a_json_manifest_keeps_its_text() {
    let body = format!(r#"{{"media_hash":"{}","manifest":{{ "a" : 1.0 }}}}"#, hash());
    let draft = parse(&body).unwrap();
    assert_eq!(draft.manifest.bytes(), r#"{ "a" : 1.0 }"#);
    assert_eq!(draft.lifetime, DEFAULT_LIFETIME_SECONDS);
}

#[test]
fn a_body_may_name_its_tenant_and_no_other() {
    let body = |tenant: &str| format!(r#"{{"tenant":{tenant},"media_hash":"{}","manifest":{{}}}}"#, hash());
    for own in ["null", r#""default""#] {
        assert_eq!(parse(&body(own)).unwrap().tenant, Tenant::default(), "{own}");
    }
    for (other, kind) in [(r#""acme""#, ProblemKind::OtherTenant), (r#""Acme""#, ProblemKind::InvalidField)] {
        let problem = parse(&body(other)).unwrap_err();
        assert_eq!((problem.kind, problem.field.as_deref()), (kind, Some("tenant")), "{other}");
    }
}

#[test]
fn a_number_without_a_fraction_is_whole() {
    for (text, seconds) in
        [("86400", 86_400), ("86400.0", 86_400), ("8.64e4", 86_400), ("315360000.0", 315_360_000)]
    {
        let body = format!(r#"{{"media_hash":"{}","manifest":{{}},"expires_in":{text}}}"#, hash());
        assert_eq!(parse(&body).unwrap().lifetime, seconds, "{text}");
    }
}

#[test]
fn tags_may_have_what_s3_takes() {
    for tag in ["Größe+1 -=._:/@", "日本語", "Ⅷ½", "an aws: key", "aws"] {
        let body = format!(r#"{{"media_hash":"{}","manifest":{{}},"tags":{{"{tag}":"{tag}"}}}}"#, hash());
        assert_eq!(parse(&body).unwrap().tags.len(), 1, "{tag}");
    }
}

#[test]
fn a_c2pa_manifest_has_to_bind_the_file() {
    let store = |digest| STANDARD.encode(manifest_store("urn:c2pa:x", &digest));
    let body = |text| format!(r#"{{"media_hash":"{}","manifest_base64":"{text}"}}"#, hash());
    assert!(parse(&body(store(Digest::of(b"the picture")))).is_ok());
    let problem = parse(&body(store(Digest::of(b"another")))).unwrap_err();
    assert_eq!((problem.kind, problem.field.as_deref()), (ProblemKind::BindingMismatch, Some("media_hash")));
}

#[test]
fn base64_may_be_escaped_as_json_allows() {
    let store = manifest_store("urn:c2pa:x", &Digest::of(b"the picture"));
    let text = STANDARD.encode(&store).replace('A', r"\u0041").replace('/', r"\/");
    assert!(text.contains(r"\u0041"));
    let body = |text: &str| format!(r#"{{"media_hash":"{}","manifest_base64":{text}}}"#, hash());
    assert_eq!(parse(&body(&format!(r#""{text}""#))).unwrap().manifest.bytes(), &*store);
    assert!(parse(&body("null")).unwrap_err().detail.contains("missing"));
    for odd in ["7", "[]", "{}", "true", r#""\n""#, r#""\"AAAA""#, r#""\ud83d\ude00""#, r#""\\""#] {
        assert_eq!(parse(&body(odd)).unwrap_err().field.as_deref(), Some("manifest_base64"), "{odd}");
    }
}

#[test]
fn every_member_is_named_when_it_is_wrong() {
    let hash = hash();
    let with = |rest: &str| format!(r#"{{"media_hash":"{hash}","manifest":{{}},{rest}}}"#);
    let tags = (0..11).map(|n| format!(r#""k{n}":"v""#)).collect::<Vec<_>>().join(",");
    let cases = [
        (r#"{"manifest":{}}"#.to_owned(), "media_hash"),
        (r#"{"media_hash":"md5:00","manifest":{}}"#.to_owned(), "media_hash"),
        (r#"{"media_hash":7,"manifest":{}}"#.to_owned(), "media_hash"),
        (format!(r#"{{"media_hash":"{hash}"}}"#), "manifest"),
        (format!(r#"{{"media_hash":"{hash}","manifest":[]}}"#), "manifest"),
        (format!(r#"{{"media_hash":"{hash}","manifest_base64":"a-_b"}}"#), "manifest_base64"),
        (format!(r#"{{"media_hash":"{hash}","manifest_base64":"AAAA"}}"#), "manifest_base64"),
        (with(r#""manifest_base64":"AAAA""#), "manifest"),
        (with(r#""manifest_type":"text/plain""#), "manifest_type"),
        (with(r#""manifest_type":"application/c2pa""#), "manifest"),
        (with(r#""media_type":"jpeg""#), "media_type"),
        (with(r#""signature":"""#), "signature"),
        (with(r#""signature":"a\u0000b""#), "signature"),
        (with(r#""expires_in":0"#), "expires_in"),
        (with(r#""expires_in":-1"#), "expires_in"),
        (with(r#""expires_in":1.5"#), "expires_in"),
        (with(r#""expires_in":-1.0"#), "expires_in"),
        (with(r#""expires_in":1e300"#), "expires_in"),
        (with(r#""expires_in":"1""#), "expires_in"),
        (with(r#""expires_in":315360001"#), "expires_in"),
        (with(&format!(r#""tags":{{{tags}}}"#)), "tags"),
        (with(r#""tags":{"a":1}"#), "tags.a"),
        (with(r#""tags":{"a":"1","a":"2"}"#), "tags"),
        (with(r#""tags":{"a;":"b"}"#), "tags.a;"),
        (with(r#""tags":{"aws:a":"b"}"#), "tags.aws:a"),
        (with(r#""tags":{"AWS:":"b"}"#), "tags.AWS:"),
        // Letters with vowel signs, which S3 does not accept as letters.
        (with(r#""tags":{"a":"हिन्दी"}"#), "tags.a"),
        (with(r#""tags":{"e\u0301":"b"}"#), "tags.e\u{301}"),
        (with(r#""tags":{"a":"\u00a0"}"#), "tags.a"),
        (with(r#""visibility":"secret""#), "visibility"),
        (with(r#""surprise":1"#), "surprise"),
    ];
    for (body, field) in cases {
        let problem = parse(&body).expect_err(&body);
        assert_eq!(problem.field.as_deref(), Some(field), "{body}: {problem}");
    }
}

#[test]
fn what_is_no_document_is_refused() {
    let deep = format!(r#"{{"manifest":{}"#, "[".repeat(100));
    for body in
        ["", "{", "[]", "null", "{} {}", "\u{feff}{}", &deep, r#"{"media_hash":"a","media_hash":"b"}"#]
    {
        assert_eq!(parse(body).expect_err(body).kind.status().as_u16(), 400, "{body}");
    }
    assert!(Draft::parse(&[b'{', 0xff, b'}'], Tenant::default(), None).is_err());
}

#[test]
fn a_replacement_keeps_its_file() {
    let known = MediaHash::of(b"the picture");
    let parse = |body: &str| Draft::parse(body.as_bytes(), Tenant::default(), Some(&known));
    assert_eq!(parse(r#"{"manifest":{}}"#).unwrap().media_hash, known);
    let other = format!(r#"{{"manifest":{{}},"media_hash":"{}"}}"#, MediaHash::of(b"x"));
    assert_eq!(parse(&other).unwrap_err().field.as_deref(), Some("media_hash"));
}

#[test]
fn a_deleted_proof_continues_its_revisions() {
    let now = Timestamp::from_milliseconds(1_000);
    let draft = parse(&format!(r#"{{"media_hash":"{}","manifest":{{}}}}"#, hash())).unwrap();
    let record = draft.record(4, now);
    let live = ProofRow::publish(&record, Digest::of(b""), None);
    assert_eq!(next(None, now), Next::Write { revision: 1 });
    assert_eq!(next(Some(&live), now), Next::Answer);
    assert_eq!(next(Some(&live), record.expires), Next::Revive);
    assert_eq!(next(Some(&live.in_state(State::Deleting(now))), now), Next::FinishDeletion);
    assert_eq!(next(Some(&live.in_state(State::Deleted(now))), now), Next::Write { revision: 5 });
}

use std::collections::BTreeSet;

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Configuration, String> {
    let find =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Configuration::read(&Variables::new(find)).map_err(|error| error.to_string())
}

#[test]
fn without_variables_everything_is_on_this_machine() {
    let configuration = read(&[]).unwrap();
    assert_eq!(configuration.primary.name(), "folder");
    assert!(configuration.fallback.is_none());
    assert_eq!((configuration.index, configuration.queue), (IndexChoice::Embedded, QueueChoice::Embedded));
    assert_eq!(configuration.metrics_namespace, "CredLink");
    let unset = VARIABLES.map(|variable| (variable.name, " "));
    assert!(read(&unset).is_ok(), "a variable that is set to nothing counts as not set");
}

#[test]
fn a_whole_deployment_is_read() {
    let secret = "ab".repeat(32);
    let keys = format!("new:{secret}, old:{secret}");
    let configuration = read(&[
        ("STORAGE_PROVIDER", "s3"),
        ("STORAGE_BUCKET", "bucket"),
        ("STORAGE_REGION", "eu-central-1"),
        ("STORAGE_TIMEOUT", "4000"),
        ("STORAGE_FALLBACK_PROVIDER", "r2"),
        ("R2_ACCOUNT_ID", "0123456789abcdef0123456789abcdef"),
        ("R2_ACCESS_KEY_ID", "key"),
        ("R2_SECRET_ACCESS_KEY", "hush"),
        ("R2_BUCKET", "replica"),
        ("REDIS_URL", "rediss://:hush@cache.example.com"),
        ("CREDLINK_TABLE", "table"),
        ("CREDLINK_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/1/q"),
        ("CREDLINK_PUBLIC_URL", "https://api.example.com/"),
        ("CREDLINK_LINK_KEYS", &keys),
        ("CREDLINK_EDGE_URL", "https://cdn.example.com/"),
        ("CREDLINK_EDGE_TOKEN", "hush-hush-hush-hush-hush-hush-hush"),
        ("CREDLINK_CACHE_FOLDER", "/tmp/credlink"),
        ("CREDLINK_INDEX_CACHE_BYTES", "1000000000"),
        ("CREDLINK_HEDGE", "on"),
    ])
    .unwrap();
    assert_eq!(configuration.fallback.as_ref().map(ProviderSettings::name), Some("r2"));
    assert_eq!(configuration.index, IndexChoice::DynamoDb("table".to_owned()));
    assert_eq!(configuration.limits.operation.as_millis(), 4_000);
    assert_eq!(configuration.public_url.as_deref(), Some("https://api.example.com"));
    assert!(configuration.link_keys.as_ref().is_some_and(|keys| keys.previous.is_some()));
    assert_eq!(configuration.cache_folder, Some(("/tmp/credlink".into(), 256_000_000)));
    assert_eq!(configuration.index_cache_bytes, Some(1_000_000_000));
    assert_eq!(configuration.edge.as_ref().map(|edge| edge.url.as_str()), Some("https://cdn.example.com"));
    assert!(configuration.hedge);
    let shown = format!("{configuration:?}");
    assert!(!shown.contains("hush") && !shown.contains(&secret), "{shown}");
}

#[test]
fn what_cannot_be_used_is_refused_in_words() {
    let s3 = [("STORAGE_PROVIDER", "s3"), ("STORAGE_BUCKET", "b")];
    let with = |more: &[(&'static str, &'static str)]| [&s3[..], more].concat();
    let refused = [
        with(&[("STORAGE_PROVIDER", "s3"), ("STORAGE_FALLBACK_PROVIDER", "s3")]),
        vec![("STORAGE_PROVIDER", "gcs")],
        vec![("STORAGE_PROVIDER", "s3")],
        with(&[("STORAGE_FALLBACK_PROVIDER", "r2")]),
        with(&[("STORAGE_TIMEOUT", "5s")]),
        with(&[("STORAGE_ENDPOINT", "s3.example.com")]),
        with(&[("STORAGE_CLASS", "COLD")]),
        vec![("CREDLINK_QUEUE_URL", "arn:aws:sqs:eu-central-1:1:q")],
        vec![("CREDLINK_LINK_KEYS", "hush")],
        vec![("CREDLINK_LINK_KEYS", "a:00")],
        vec![("CREDLINK_EDGE_URL", "https://cdn.example.com")],
        vec![("CREDLINK_EDGE_TOKEN", "hush-hush-hush-hush-hush-hush-hush")],
        vec![("CREDLINK_EDGE_URL", "https://cdn.example.com"), ("CREDLINK_EDGE_TOKEN", "hush-hush")],
        vec![
            ("CREDLINK_EDGE_URL", "https://cdn.example.com"),
            ("CREDLINK_EDGE_TOKEN", "hush hush hush hush hush hush hush"),
        ],
        vec![("CREDLINK_SIGNERS", "/nowhere/signers.json")],
        vec![("CREDLINK_SIGNERS", r#"{"tenants":{"acme":{"certificates":["md5:00"]}}}"#)],
        vec![("CREDLINK_SIGNERS", r#"{"tenants":{"ACME!":{}}}"#)],
        vec![("CREDLINK_SIGNERS", r#"{"tenants":{"acme":{"anchors":["none"]}}}"#)],
        vec![("CREDLINK_SIGNERS", r#"{"acme":{}}"#)],
        vec![("CREDLINK_SIGNERS", r#"{"tenants":{"acme":{},"acme":{}}}"#)],
        vec![("CREDLINK_HEDGE", "yes")],
        vec![("CREDLINK_CACHE_FOLDER", "/tmp/c"), ("CREDLINK_CACHE_BYTES", "7")],
        vec![("CREDLINK_INDEX_CACHE_BYTES", "1 GB")],
        vec![("REDIS_URL", "http://:hush@cache.example.com")],
        vec![("CREDLINK_JWKS", "https://issuer.example.com/keys")],
    ];
    let words: Vec<String> = refused.iter().map(|variables| read(variables).unwrap_err()).collect();
    assert!(words.iter().all(|words| !words.contains("hush")), "{words:#?}");
    insta::assert_snapshot!("refused", words.join("\n"));
}

/// `docs/configuration.md` contains the list.
#[test]
fn every_variable_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let document = std::fs::read_to_string(path).unwrap();
    let table = table();
    assert!(document.contains(&table), "docs/configuration.md has another table than this:\n{table}");
}

/// The list has every variable that the code reads, and no other.
#[test]
fn the_list_is_what_is_read() {
    let code = [
        include_str!("../configuration.rs"),
        include_str!("files.rs"),
        include_str!("../legacy/settings.rs"),
        include_str!("../migration/sources.rs"),
        include_str!("../provider/settings.rs"),
        include_str!("../../../auth/src/jwt/settings.rs"),
    ];
    // Finds quoted text that looks like a variable, in the code before its tests.
    let named = |code: &'static str| {
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
        code.split('"').filter(|text| {
            let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            text.contains('_') && text.bytes().all(is_name)
        })
    };
    let read: BTreeSet<&str> = code.into_iter().flat_map(named).collect();
    let listed: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(read, listed);
}

#[test]
fn an_unknown_variable_is_told() {
    let told = |name: &str| unknown(std::iter::once(name.to_owned())).next().map(|found| found.to_string());
    let near = |name: &str, meant: &str| {
        Some(format!("{name} is not a variable of CredLink and has no effect; is {meant} meant?"))
    };
    for (name, meant) in [
        ("CREDLINK_COLECTIONS", "CREDLINK_COLLECTIONS"),
        ("CREDLINK_OWNER_BYTE", "CREDLINK_OWNER_BYTES"),
        ("CREDLINK_TOKN", "CREDLINK_TOKEN"),
        ("CREDLINK_DATA_DRI", "CREDLINK_DATA_DIR"),
        ("STORAGE_BUKET", "STORAGE_BUCKET"),
        ("R2_ACOUNT_ID", "R2_ACCOUNT_ID"),
    ] {
        assert_eq!(told(name), near(name, meant));
    }
    assert_eq!(
        told("CREDLINK_THE_ANSWER").as_deref(),
        Some("CREDLINK_THE_ANSWER is not a variable of CredLink and has no effect")
    );
    for name in ["HOME", "OWNER_BYTES", "STORAGE_OF_ANOTHER_PROGRAM", "R2_D2_UNIT", "CREDLINK_ZONE_TOKEN"]
        .into_iter()
        .chain(OF_THE_COMMAND)
        .chain(VARIABLES.iter().map(|variable| variable.name))
    {
        assert_eq!(told(name), None, "{name}");
    }
}

#[test]
fn functions_keep_files_over_what_they_share() {
    let shared = [
        ("STORAGE_PROVIDER", "s3"),
        ("STORAGE_BUCKET", "bucket"),
        ("CREDLINK_TABLE", "table"),
        ("CREDLINK_FILES_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/1/files"),
        ("CREDLINK_CDN_URL", "https://cdn.example.com/"),
    ];
    let files = read(&shared).unwrap().files;
    assert_eq!(files.queue_url.as_deref(), Some("https://sqs.eu-central-1.amazonaws.com/1/files"));
    assert_eq!(files.cdn_url.as_deref(), Some("https://cdn.example.com"));
    let without = |name: &str| {
        let some: Vec<_> = shared.iter().copied().filter(|(known, _)| *known != name).collect();
        read(&some).unwrap_err()
    };
    assert_eq!(
        without("CREDLINK_TABLE"),
        "CREDLINK_TABLE is not set; it has to be a table of DynamoDB, because CREDLINK_FILES_QUEUE_URL is set"
    );
    assert_eq!(
        without("STORAGE_PROVIDER"),
        "STORAGE_PROVIDER is `folder`; allowed is `s3` or `r2`, because CREDLINK_FILES_QUEUE_URL is set"
    );
}

#[test]
fn guardduty_scans_buckets_of_s3_alone() {
    let shared = [
        ("CREDLINK_GUARDDUTY", "on"),
        ("STORAGE_PROVIDER", "s3"),
        ("STORAGE_BUCKET", "bucket"),
        ("CREDLINK_TABLE", "table"),
        ("CREDLINK_FILES_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/1/files"),
    ];
    assert_eq!(read(&shared).unwrap().files.scanner, Some(ScannerChoice::GuardDuty));
    assert_eq!(read(&shared[1..]).unwrap().files.scanner, None);
    let off = [&[("CREDLINK_GUARDDUTY", "off")], &shared[1..]].concat();
    assert_eq!(read(&off).unwrap().files.scanner, None);
    for (variables, words) in [
        (vec![("CREDLINK_GUARDDUTY", "on")], "for functions whose uploads go to S3"),
        (shared[..4].to_vec(), "CREDLINK_FILES_QUEUE_URL"),
        (vec![("CREDLINK_GUARDDUTY", "yes")], "`on` or `off`"),
        ([&shared[..], &[("CREDLINK_CLAMD", "localhost:3310")]].concat(), "CREDLINK_CLAMD is set too"),
    ] {
        let error = read(&variables).unwrap_err();
        assert!(error.contains("CREDLINK_GUARDDUTY") && error.contains(words), "{error}");
    }
}

#[test]
fn renditions_are_signed_if_there_is_a_certificate() {
    let collections = r#"{"version": 1, "collections": {"cover": {
        "version": 1, "types": ["image/png"], "max_bytes": 1000, "access": "public", "provenance": "sign",
        "renditions": [{"name": "card", "version": 1, "fit": "inside", "width": 600, "height": 600, "formats": [{"format": "jpg"}]}]
    }}}"#;
    let pem = "-----BEGIN X-----";
    let signing = [
        ("CREDLINK_COLLECTIONS", collections),
        ("CREDLINK_SIGN_CERTIFICATE", pem),
        ("CREDLINK_SIGN_KEY", "arn:aws:kms:eu-central-1:1:key/a"),
    ];
    let found = read(&signing).unwrap().files.signing.unwrap();
    let is_in_kms = matches!(found.key, SigningKey::Kms { region, .. } if region == "eu-central-1");
    assert!(is_in_kms && found.certificate == pem);
    let error = read(&signing[..1]).unwrap_err();
    assert!(
        error.contains("`collections.cover.provenance`: `sign` needs a certificate and its key"),
        "{error}"
    );
    let queue = ("CREDLINK_FILES_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/1/files");
    let function = [queue, ("CREDLINK_TABLE", "t"), ("STORAGE_PROVIDER", "s3"), ("STORAGE_BUCKET", "b")];
    let with_certificate = read(&[&signing[..], &function].concat()).unwrap();
    assert!(with_certificate.files.check_signer().is_ok());
    // Most functions make no files, and need no certificate.
    let without = read(&[&signing[..1], &function].concat()).unwrap();
    let error = without.files.check_signer().unwrap_err().to_string();
    assert!(error.contains("`sign` needs a certificate and its key"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sign.pem");
    std::fs::write(&file, pem).unwrap();
    let path = file.to_str().unwrap();
    let found = read(&[("CREDLINK_SIGN_CERTIFICATE", path), signing[2]]).unwrap().files.signing.unwrap();
    assert_eq!((found.certificate.as_str(), found.certificate_file.as_deref()), (pem, Some(path)));
    // A certificate is no secret, and a key may be.
    let error = read(&[("CREDLINK_SIGN_CERTIFICATE", "/no/such.pem"), signing[2]]).unwrap_err();
    assert!(
        error.starts_with("CREDLINK_SIGN_CERTIFICATE: `/no/such.pem` is neither PEM nor the path"),
        "{error}"
    );
    let error = read(&[signing[1], ("CREDLINK_SIGN_KEY", "MIIhush")]).unwrap_err();
    assert!(error.starts_with("CREDLINK_SIGN_KEY: it is neither PEM") && !error.contains("hush"), "{error}");
    let key = [signing[1], ("CREDLINK_SIGN_KEY", "-----BEGIN secret")];
    assert!(!format!("{:?}", read(&key).unwrap()).contains("secret"));
}

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

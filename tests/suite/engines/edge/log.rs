//! Checks of every line that any Worker of any test has logged.

use std::collections::BTreeMap;

use serde_json::Value;

/// Variables that are secrets.
const SECRETS: [&str; 3] = ["CREDLINK_LINK_KEYS", "CREDLINK_PURGE_TOKEN", "CREDLINK_ZONE_TOKEN"];

/// Text that occurs only in a query, a signed link or a credential.
const HIDDEN: [&str; 4] = ["expires=", "signature=", "form=", "Bearer"];

/// The values of these variables that must not appear in a log: each secret, and each part of one that has several.
pub(super) fn secrets(variables: &BTreeMap<&str, String>) -> Vec<String> {
    let values = SECRETS.iter().filter_map(|name| variables.get(name));
    let parts = values.flat_map(|value| value.split([',', ':']));
    // Shorter parts are the names of keys.
    parts.filter(|part| part.len() > 8).map(str::to_owned).collect()
}

/// Asserts that lines are JSON, appear on the console for their level, and hold no query and no secret.
pub(super) fn check(seen: &Value, secrets: &[String]) {
    for line in seen["logs"].as_array().expect("a list") {
        let text = line["text"].as_str().expect("a text");
        let said: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {line}"));
        let level = if line["level"] == "log" { "info" } else { "error" };
        assert_eq!(said["level"], level, "{line}");
        for hidden in secrets.iter().map(String::as_str).chain(HIDDEN) {
            assert!(!text.contains(hidden), "a line of the log holds `{hidden}`: {text}");
        }
    }
}

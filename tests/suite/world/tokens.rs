//! The credentials of a world that requires them.

use credlink_auth::tokens::StaticTokens;
use credlink_core::hash::Digest;

/// Allows everything in the tenant `default`.
pub const OWNER: &str = "token-of-the-owner";
/// Allows stores in the tenant `default`.
pub const SIGNER: &str = "token-of-a-signer";
/// Allows deletions in the tenant `default`.
pub const DELETER: &str = "token-of-a-deleter";
/// The operator's token, which acts in the tenant `default`.
pub const OPERATOR: &str = "token-of-the-operator";
/// Allows everything in the tenant `other`.
pub const STRANGER: &str = "token-of-a-stranger";

/// The file of these tokens, as `credlink serve --tokens` reads it.
pub fn file() -> String {
    let entry = |name: &str, token: &str, tenant: &str, scope: &str| {
        let sha256 = Digest::of(token.as_bytes());
        format!(r#"{{"name":"{name}","sha256":"{sha256}","tenant":"{tenant}","scopes":["{scope}"]}}"#)
    };
    let entries = [
        entry("owner", OWNER, "default", "admin"),
        entry("signer", SIGNER, "default", "store:manifests"),
        entry("deleter", DELETER, "default", "delete:manifests"),
        entry("operator", OPERATOR, "default", "operator"),
        entry("stranger", STRANGER, "other", "admin"),
    ];
    format!("[{}]", entries.join(","))
}

/// All of these tokens.
pub fn all() -> StaticTokens {
    StaticTokens::parse(file().as_bytes()).unwrap()
}

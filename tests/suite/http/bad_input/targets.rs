//! Paths, parameters and methods that do not exist.

use http::Method;

use super::{Bad, bad};
use crate::http::ask::{ask, get, media, proof, proof_path};

pub fn rows() -> Vec<Bad> {
    let id = proof("there");
    let there = proof_path("there");
    let at = |segment: &str| get(&format!("/v1/proofs/{segment}"));
    let manifest = |segment: &str| get(&format!("/v1/manifests/{segment}"));
    let list = |query: &str| get(&format!("/v1/proofs?{query}"));
    let method = |method: &str, path: &str| ask(method.parse().unwrap(), path);
    let hash = media("there");
    vec![
        bad("an id that nothing has or had", at("abc"), 404, "not a proof id, and no proof"),
        bad("an id in capitals", at(&id.to_string().to_uppercase()), 404, "not a proof id, and no proof"),
        bad("an id that is too long for any", at(&"x".repeat(129)), 400, "1 to 128 characters"),
        bad("an id with a space", at("a%20b"), 400, "32 characters"),
        bad("no id", at(""), 400, "32 characters"),
        bad("a dot for an id", at("."), 400, "32 characters"),
        bad("two dots for an id", at(".."), 400, "32 characters"),
        bad("two escaped dots for an id", at("%2e%2e"), 400, "32 characters"),
        bad("a way out for an id", at("..%2f..%2f..%2fetc%2fpasswd"), 400, "32 characters"),
        bad("an escaped slash in an id", at("a%2Fb"), 400, "32 characters"),
        bad("an id and an escaped slash", at(&format!("{id}%2F1")), 400, "32 characters"),
        bad("a zero byte in an id", at("%00"), 400, "32 characters"),
        bad("a zero byte behind an id", at(&format!("{id}%00")), 400, "32 characters"),
        bad("a percent sign in an id", at("100%"), 400, "32 characters"),
        bad("an id that is not UTF-8", at("%ff%fe"), 400, "UTF-8"),
        bad(
            "an id that is escaped twice",
            at(&format!("%2561{}", &id.to_string()[1..])),
            400,
            "32 characters",
        ),
        bad("revision 0", get(&format!("{there}/0")), 400, "a whole number from 1"),
        bad("revision 01", get(&format!("{there}/01")), 400, "a whole number from 1"),
        bad("revision -1", get(&format!("{there}/-1")), 400, "a whole number from 1"),
        bad(
            "a revision that no number holds",
            get(&format!("{there}/99999999999")),
            400,
            "a whole number from 1",
        ),
        bad("a revision of a revision", get(&format!("{there}/1/2")), 404, "openapi.json"),
        bad("a manifest id of two dots", manifest(".."), 400, "no control character"),
        bad("a manifest id with a slash in it", manifest("urn:a%2Fb"), 400, "no control character"),
        bad("a manifest id with a slash", manifest("urn:a/b"), 404, "openapi.json"),
        bad("a manifest id with a zero byte", manifest("urn:%00"), 400, "no control character"),
        bad("a manifest id with a line in it", manifest("urn:a%0d%0ax:y"), 400, "no control character"),
        bad("a manifest id without a colon", manifest("manifest"), 400, "urn:c2pa"),
        bad("a manifest id that is not UTF-8", manifest("urn:%ff"), 400, "UTF-8"),
        bad(
            "a manifest id that is too long",
            manifest(&format!("urn:{}", "x".repeat(252))),
            400,
            "1 to 160 characters",
        ),
        bad("no manifest id", manifest(""), 400, "1 to 160 characters"),
        bad("a target that is too long", manifest(&"x".repeat(8_192)), 414, "8192 bytes"),
        bad("a query that is too long", list(&"x".repeat(8_192)), 414, "8192 bytes"),
        bad(
            "a media hash in the path that is none",
            get("/v1/proofs/by-hash/abc"),
            400,
            "64 hexadecimal digits",
        ),
        bad("a media hash in the query that is none", list("media_hash=abc"), 400, "64 hexadecimal digits"),
        bad(
            "a media hash and an unknown parameter",
            list(&format!("media_hash={hash}&limit=1")),
            400,
            "`media_hash`",
        ),
        bad(
            "a tenant that is none",
            list(&format!("media_hash={hash}&tenant=..%2Fa")),
            400,
            "a tenant is 1 to 60",
        ),
        bad("a page of nothing", list("limit=0"), 400, "from 1 to 1000"),
        bad("a page of too many", list("limit=1001"), 400, "from 1 to 1000"),
        bad("a page of who knows how many", list("limit=all"), 400, "from 1 to 1000"),
        bad("a page of less than nothing", list("limit=-1"), 400, "from 1 to 1000"),
        bad("a page without a number", list("limit"), 400, "from 1 to 1000"),
        bad("a limit twice", list("limit=1&limit=2"), 400, "once"),
        bad("a limit twice, once escaped", list("limit=1&%6cimit=2"), 400, "once"),
        bad("an unknown parameter", list("offset=1"), 400, "`limit`"),
        bad("a tenant of a list", list("tenant=other"), 400, "`limit`"),
        bad("a cursor that nobody gave", list("after=nonsense"), 400, "`next`"),
        bad("a parameter that is not UTF-8", list("after=%ff"), 400, "UTF-8"),
        bad("a link of no second", get(&format!("{there}/url?expires_in=0")), 400, "from 1 to 604800"),
        bad("a link for too long", get(&format!("{there}/url?expires_in=604801")), 400, "from 1 to 604800"),
        bad("a link with an unknown parameter", get(&format!("{there}/url?seconds=1")), 400, "`expires_in`"),
        bad(
            "half a signed link",
            get(&format!("{there}?expires=1&key=a")),
            403,
            "`expires`, `key`, `life` and `signature`",
        ),
        bad("the root", get("/"), 404, "openapi.json"),
        bad("no path", ask(Method::GET, "/v1"), 404, "openapi.json"),
        bad("another version", get("/v2/proofs"), 404, "openapi.json"),
        bad("a path in capitals", get("/V1/proofs"), 404, "openapi.json"),
        bad("a path with an empty segment", get("//v1/proofs"), 404, "openapi.json"),
        bad("a list without a version", get("/proofs"), 404, "openapi.json"),
        bad("statistics without a version", get("/stats"), 404, "openapi.json"),
        bad("a change of the list", method("PATCH", "/v1/proofs"), 405, "GET, HEAD, POST, OPTIONS"),
        bad("a deletion of everything", method("DELETE", "/v1/proofs"), 405, "GET, HEAD, POST, OPTIONS"),
        bad("a store under an id", method("POST", &there), 405, "GET, HEAD, PUT, DELETE, OPTIONS"),
        bad("a deletion on the CDN", method("DELETE", &there.replace("/v1", "")), 405, "GET, HEAD, OPTIONS"),
        bad("a deletion of a revision", method("DELETE", &format!("{there}/1")), 405, "GET, HEAD, OPTIONS"),
        bad(
            "a replacement of a manifest",
            method("PUT", "/v1/manifests/urn:x"),
            405,
            "GET, HEAD, DELETE, OPTIONS",
        ),
        bad("a change of manifests", method("PUT", "/v1/manifests"), 405, "GET, HEAD, POST, OPTIONS"),
        bad("manifests by a file", get("/v1/manifests?media_hash=x"), 400, "takes `after`, `limit`"),
        bad("a legacy id that is read", get("/v1/aliases/p-1"), 405, "PUT, DELETE, OPTIONS"),
        bad(
            "a legacy id from no proof",
            method("DELETE", "/v1/aliases/p-1"),
            400,
            "the proof that the id names",
        ),
        bad("a batch that is read", get("/v1/proofs/batch-delete"), 405, "POST, OPTIONS"),
        bad("a change of health", method("POST", "/v1/health"), 405, "GET, HEAD, OPTIONS"),
        bad("a method that nobody knows", method("BREW", "/v1/stats"), 405, "GET, HEAD, OPTIONS"),
        bad("a trace", method("TRACE", "/v1/openapi.json"), 405, "GET, HEAD, OPTIONS"),
    ]
}

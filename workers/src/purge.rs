//! Purging: removes cached entries of a proof, a manifest or a file before their lifetime is over, from this data center and,
//! where one is configured, from the zone. A purge follows a deletion or a replacement.

use credlink_core::file::FileId;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};
use web_sys::Request;

use crate::configuration::{Configuration, Zone};
use crate::entry::tag;
use crate::file;
use crate::keep::Keeper;
use crate::log;
use crate::request::Asked;
use crate::runtime::{self, Question};
use crate::task::apart;

/// The path of purges.
pub const PATH: &str = "/purge";
/// The methods that are allowed on that path.
pub const ALLOW: &str = "POST, OPTIONS";

/// Maximum number of IDs in a purge.
const MAX_IDS: usize = 100;
/// Longest body of a purge, in bytes: the maximum number of the longest IDs, with 44 bytes each for punctuation and
/// escapes.
const MAX_BODY_BYTES: usize = MAX_IDS * 300;
/// Maximum number of tags in one call of Cloudflare's API, on the smallest plan.
const TAGS_A_CALL: usize = 30;
/// Longest response of Cloudflare's API that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 65_536;

/// The body of a purge request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Purge {
    /// IDs of proofs, whose current and earlier records are purged.
    #[serde(default)]
    proofs: Vec<String>,
    /// Manifests: the ID, followed by `/{tenant}` for a tenant other than `default`.
    #[serde(default)]
    manifests: Vec<String>,
    /// Manifest IDs whose plain addresses serve another tenant's manifest.
    #[serde(default)]
    fronts: Vec<String>,
    /// IDs of files, whose records and bytes are purged.
    #[serde(default)]
    files: Vec<String>,
}

/// The response to a purge.
#[derive(Debug, Serialize)]
struct Purged {
    /// Number of IDs in the request.
    purged: usize,
    /// `true` if all data centers were purged; `false` if only this one was.
    zone: bool,
}

/// Handles a purge request.
///
/// # Errors
/// A missing or wrong token, a body that names no IDs, or a failure to purge the zone's caches.
pub async fn purge(
    request: &Request,
    asked: &Asked,
    configuration: &Configuration,
) -> Result<Reply, Problem> {
    let Some(token) = &configuration.purge_token else {
        return Err(Problem::new(
            ProblemKind::NoSuchRoute,
            "this edge takes no purges: CREDLINK_PURGE_TOKEN is not set",
        ));
    };
    authorize(asked, token)?;
    let body = runtime::body_text(request, MAX_BODY_BYTES).await.map_err(|error| {
        Problem::new(ProblemKind::InvalidRequest, format!("the body could not be read: {error}"))
    })?;
    let keys = keys(&body.ok_or_else(|| Problem::too_large("a purge", MAX_BODY_BYTES))?)?;
    let keeper = Keeper { domain: asked.origin.clone(), lifetimes: configuration.lifetimes };
    for key in &keys {
        let forgotten = match key {
            ObjectKey::Media(_) => apart(keeper.forget_file(key)).await,
            _ => keeper.forget(key).await,
        };
        if let Err(error) = forgotten {
            log::failure(&asked.id, "the cache does not forget an object", &format!("{key}: {error}"));
            return Err(Problem::unavailable(1));
        }
    }
    if let Some(zone) = &configuration.zone {
        purge_zone(zone, &keys, asked, configuration.timeout).await?;
    }
    let purged = Purged { purged: keys.len(), zone: configuration.zone.is_some() };
    Ok(Reply::json(StatusCode::OK, &purged))
}

fn authorize(asked: &Asked, token: &str) -> Result<(), Problem> {
    let shown = asked.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(shown) = shown else { return Err(Problem::unauthenticated(None)) };
    let bearer = shown.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match bearer {
        Some((_, shown)) if credlink_core::access::is_secret(shown.trim(), token) => Ok(()),
        _ => Err(Problem::unauthenticated(Some("the token is not the one that purges"))),
    }
}

fn keys(body: &str) -> Result<Vec<ObjectKey>, Problem> {
    let allowed =
        "a purge is a JSON object with `proofs`, `manifests`, `fronts` and `files`, each a list of ids";
    let purge: Purge = serde_json::from_str(body)
        .map_err(|error| Problem::new(ProblemKind::InvalidRequest, format!("{allowed}: {error}")))?;
    let lists = [&purge.proofs, &purge.manifests, &purge.fronts, &purge.files];
    let count: usize = lists.iter().map(|ids| ids.len()).sum();
    if count == 0 || count > MAX_IDS {
        let detail = format!(
            "`proofs`, `manifests`, `fronts` and `files` have 1 to {MAX_IDS} ids together, not {count}"
        );
        return Err(Problem::new(ProblemKind::InvalidRequest, detail));
    }
    let proofs = purge.proofs.iter().map(|id| {
        id.parse::<ProofId>().map(ObjectKey::Record).map_err(|error| Problem::field("proofs", error))
    });
    let manifests = purge.manifests.iter().map(|id| {
        id.parse::<ManifestKey>().map(ObjectKey::Manifest).map_err(|error| Problem::field("manifests", error))
    });
    let fronts = purge.fronts.iter().map(|id| {
        id.parse::<ManifestId>().map(ObjectKey::Front).map_err(|error| Problem::field("fronts", error))
    });
    let files = purge.files.iter().map(|id| {
        id.parse::<FileId>().map(|id| file::key(&id)).map_err(|error| Problem::field("files", error))
    });
    proofs.chain(manifests).chain(fronts).chain(files).collect()
}

/// Purges all data centers, by the tags of the entries.
async fn purge_zone(zone: &Zone, keys: &[ObjectKey], asked: &Asked, timeout: u64) -> Result<(), Problem> {
    let url = format!("{}/zones/{}/purge_cache", zone.api, zone.id);
    let headers = format!("authorization:Bearer {}\ncontent-type:application/json", zone.token);
    for keys in keys.chunks(TAGS_A_CALL) {
        let tags: Vec<String> = keys.iter().map(tag).collect();
        let content = serde_json::json!({ "tags": tags }).to_string();
        let question = Question {
            method: "POST",
            url: &url,
            headers: &headers,
            content: Some(&content),
            limit: MAX_ANSWER_BYTES,
            milliseconds: timeout,
        };
        let why = match runtime::ask_server(&question).await {
            Ok(answered) if answered.status() == 200 => continue,
            Ok(answered) => format!("the status is {}", answered.status()),
            Err(error) => error.0,
        };
        log::failure(&asked.id, "Cloudflare's API does not purge the zone", &why);
        return Err(Problem::unavailable(5));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_names_ids() {
        let id = "ym32rzlpvukwoewqzin4wsrs3w55fqze";
        let read = keys(&format!(
            r#"{{"proofs":["{id}"],"manifests":["urn:c2pa:x","urn:c2pa:x/acme"],"fronts":["urn:c2pa:x"],"files":["{id}"]}}"#
        ))
        .unwrap();
        let names: Vec<_> = read.iter().map(ToString::to_string).collect();
        let manifest = "manifests/urn%3Ac2pa%3Ax".to_owned();
        let front = "fronts/urn%3Ac2pa%3Ax".to_owned();
        let file = format!("files/{id}");
        assert_eq!(
            names,
            [format!("proofs/{id}"), manifest.clone(), format!("{manifest}/acme"), front, file]
        );
        let many = format!(r#"{{"proofs":[{}]}}"#, vec![format!("\"{id}\""); MAX_IDS + 1].join(","));
        for (body, says) in [
            ("", "a purge is a JSON object"),
            ("[]", "1 to 100 ids together, not 0"),
            ("{}", "1 to 100 ids together, not 0"),
            (&many, "1 to 100 ids together, not 101"),
            (r#"{"proof":["x"]}"#, "unknown field"),
            (r#"{"proofs":["x"]}"#, "`proofs`: "),
            (r#"{"manifests":["a/b"]}"#, "`manifests`: "),
            (r#"{"fronts":["urn:x/acme"]}"#, "`fronts`: "),
            (r#"{"files":["x"]}"#, "`files`: "),
        ] {
            let problem = keys(body).unwrap_err();
            assert!(problem.kind.status() == 400 && problem.detail.contains(says), "{body}: {problem}");
        }
    }
}

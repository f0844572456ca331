//! `GET /metrics` of a real server: the counts for a known session of requests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use credlink_metrics::catalogue::{CATALOGUE, MetricKind};
use serde_json::json;

use super::ask::{media, proof_path};
use crate::server::Server;
use crate::world::tokens;

/// Samples by name and labels, as in `name{label="value"}`.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// The status, media type and text of a path, requested with this credential.
fn get(server: &Server, path: &str, token: Option<&str>) -> (u16, String, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut request = agent.get(format!("{}{path}", server.url()));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut response = request.call().unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind, response.body_mut().read_to_string().unwrap())
}

#[test]
fn a_session_is_counted_exactly() {
    let server = Server::start();
    let body = |name: &str| json!({"media_hash": media(name).to_string(), "manifest": {"title": name}});
    assert_eq!(server.post("/v1/proofs", &body("a")).0, 201);
    assert_eq!(server.post("/v1/proofs", &body("b")).0, 201);
    assert_eq!(server.post("/v1/proofs", &body("a")).0, 200);
    let record = server.get_bytes(&proof_path("a"));
    // A second read of the same record comes from memory.
    assert_eq!(server.get_bytes(&proof_path("a")), record);
    assert_eq!(get(&server, &proof_path("missing"), None).0, 404);
    assert_eq!(server.delete(&proof_path("b")), 204);
    assert_eq!(server.post("/v1/proofs", &json!({})).0, 400);
    assert_eq!(server.delete("/v1/no-such-path"), 404);

    let (status, kind, text) = get(&server, "/metrics", None);
    assert_eq!((status, kind.as_str()), (200, "text/plain; version=0.0.4"));
    let samples = samples(&text);
    let sample = |name: &str| samples.get(name).copied();
    for (name, count) in [
        ("credlink_stores_total", 2),
        ("credlink_deduplicated_total", 1),
        ("credlink_supersedes_total", 0),
        ("credlink_deletes_total", 1),
        ("credlink_retrieves_total", 2),
        ("credlink_retrieve_misses_total", 1),
        ("credlink_failures_total", 0),
        ("credlink_cache_hits_total{layer=\"l1\"}", 1),
        ("credlink_cache_misses_total{layer=\"l1\"}", 2),
        ("credlink_request_ms_count{route=\"store_proof\"}", 4),
        ("credlink_request_ms_count{route=\"read_proof\"}", 3),
        ("credlink_request_ms_count{route=\"delete_proof\"}", 1),
        ("credlink_request_ms_count{route=\"none\"}", 1),
    ] {
        assert_eq!(sample(name), Some(f64::from(count)), "{name}\n{text}");
    }
    assert_eq!(sample("credlink_retrieved_bytes_total"), Some(2.0 * record.len() as f64));
    for route in ["store_proof", "read_proof"] {
        let quantiles = ["0.5", "0.95", "0.99"].map(|quantile| {
            sample(&format!("credlink_request_ms{{route=\"{route}\",quantile=\"{quantile}\"}}")).unwrap()
        });
        assert!(quantiles[0] > 0.0 && quantiles.is_sorted(), "{route}: {quantiles:?}");
        assert!(
            sample(&format!("credlink_request_ms_sum{{route=\"{route}\"}}")).unwrap() >= quantiles[0] / 2.0
        );
    }
    assert!(sample("process_start_time_seconds").unwrap() > 1.7e9);
    // No metric is reported that is not in the list, and none with a label that is not.
    for name in samples.keys() {
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let is_listed = CATALOGUE.iter().any(|metric| match metric.kind {
            MetricKind::Counter => name == format!("{}_total", metric.name),
            MetricKind::Gauge => name == metric.name,
            MetricKind::Histogram => name.trim_end_matches("_sum").trim_end_matches("_count") == metric.name,
        });
        assert!(is_listed, "{name} is not in the list");
        for label in labels.split(',').filter_map(|label| label.split_once('=')) {
            let is_listed =
                label.0 == "quantile" || CATALOGUE.iter().any(|metric| metric.labels.contains(&label.0));
            assert!(is_listed, "{name} has the label {}", label.0);
        }
    }
}

#[test]
fn where_credentials_are_asked_for_metrics_are_the_operators() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    std::fs::write(&file, tokens::file()).unwrap();
    let server = Server::over(&folder.path().join("data"), &["--tokens", file.to_str().unwrap()]);
    let status = |token| get(&server, "/metrics", token).0;
    assert_eq!([status(None), status(Some("unknown")), status(Some(tokens::SIGNER))], [401, 401, 403]);
    assert_eq!(status(Some(tokens::OWNER)), 403, "the sums are those of all tenants");
    assert_eq!(status(Some(tokens::OPERATOR)), 200);
    let (_, kind, text) = get(&server, "/metrics", None);
    assert_eq!(kind, "application/problem+json");
    assert!(!text.contains("credlink_"), "{text}");
    assert_eq!(server.delete("/metrics"), 405);
    assert_eq!(server.post("/v1/proofs", &json!({})).0, 401);
}

/// The table of the operator's guide lists every metric, with its unit, its labels and its meaning.
#[test]
fn the_list_is_documented() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let documented: Vec<&str> = guide
        .lines()
        .filter(|line| ["| `credlink_", "| `process_"].iter().any(|start| line.starts_with(start)))
        .collect();
    let listed: Vec<String> = CATALOGUE
        .iter()
        .map(|metric| {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let kind = format!("{:?}", metric.kind).to_lowercase();
            let unit = metric.unit.cloudwatch();
            format!(
                "| `{}` | {kind} | {unit} | {} | {} |",
                metric.name,
                labels.join(", "),
                metric.description
            )
        })
        .collect();
    assert_eq!(documented, listed);
}

/// Every metric name in the sources is in the list, even of metrics that no test here causes.
#[test]
fn the_sources_name_no_other_metric() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<PathBuf> = ["shared", "cli", "lambdas"].map(|name| root.join(name)).to_vec();
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                for rest in source.split("\"credlink_").skip(1) {
                    let name = rest.split_once('"').map_or("", |(name, _)| name);
                    // A string with other characters is not a name, but a filter of the log or a line of text.
                    if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                        let name = format!("credlink_{name}");
                        let is_listed = CATALOGUE.iter().any(|metric| metric.name == name);
                        assert!(is_listed, "{}: `{name}` is not in the list", path.display());
                        seen += 1;
                    }
                }
            }
        }
    }
    assert!(seen >= CATALOGUE.len() - 2, "{seen}");
}

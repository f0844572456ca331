//! Credentials that a running server cannot reload: it continues with those that it has, and reports the failure.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::auth::issuer::{AUDIENCE, ISSUER, Published, jwks};
use crate::server::Server;
use crate::world::tokens;

/// The longest time until a server has checked its files, on a machine that is building at the same time.
const PATIENCE: Duration = Duration::from_secs(90);

/// The status and text of the answer to a GET.
fn get(server: &Server, path: &str, token: Option<&str>) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut request = agent.get(format!("{}{path}", server.url()));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut response = request.call().unwrap();
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

/// The health as a caller with this token sees it, which a load balancer takes for good throughout.
fn health(server: &Server, token: Option<&str>) -> Value {
    let (status, told) = get(server, "/v1/health", token);
    assert_eq!(status, 200, "{told}");
    serde_json::from_str(&told).unwrap()
}

/// The health as an operator sees it, once it names this many sources.
fn told_of(server: &Server, sources: usize) -> Value {
    let began = Instant::now();
    loop {
        let told = health(server, Some(tokens::OPERATOR));
        if told["credentials"].as_array().map_or(0, Vec::len) == sources {
            return told;
        }
        assert!(began.elapsed() < PATIENCE, "{told}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn health_says_which_credentials_cannot_be_read() {
    let (published, folder) = (Published::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("tokens.json");
    std::fs::write(&file, tokens::file()).unwrap();
    let (keys, listed) = (published.path(), file.to_str().unwrap().to_owned());
    let arguments = [
        "--tokens",
        &listed,
        "--jwks",
        keys.to_str().unwrap(),
        "--jwt-issuer",
        ISSUER,
        "--jwt-audience",
        AUDIENCE,
    ];
    let server = Server::over(&folder.path().join("data"), &arguments);
    let well = health(&server, Some(tokens::OPERATOR));
    assert_eq!((&well["status"], well.get("problems"), well.get("credentials")), (&json!("ok"), None, None));

    std::fs::write(&keys, "{\"keys\": broken").unwrap();
    let told = told_of(&server, 1);
    assert_eq!(told["status"], "degraded");
    let source = &told["credentials"][0];
    assert_eq!((&source["source"], &source["status"]), (&json!("keys"), &json!("degraded")));
    assert!(
        source["read_seconds_ago"].is_u64() && !source["problem"].as_str().unwrap().is_empty(),
        "{source}"
    );

    std::fs::remove_file(&file).unwrap();
    let told = told_of(&server, 2);
    let source = &told["credentials"][0];
    assert_eq!((&source["source"], &source["status"]), (&json!("tokens"), &json!("degraded")));
    assert!(source["problem"].as_str().unwrap().contains("tokens.json"), "{source}");
    assert!(source["read_seconds_ago"].as_u64().unwrap() >= 30, "{source}");
    let problems = json!([
        "the list of access tokens cannot be read; the previous ones are in use",
        "the keys that access tokens are checked with cannot be read; the previous ones are in use",
    ]);
    assert_eq!(told["problems"], problems);
    // Other callers are told neither causes nor ages.
    for token in [None, Some(tokens::OWNER)] {
        let told = health(&server, token);
        assert_eq!((&told["status"], &told["problems"]), (&json!("degraded"), &problems));
        assert_eq!(told.get("credentials"), None);
    }
    let (status, metrics) = get(&server, "/metrics", Some(tokens::OPERATOR));
    assert_eq!(status, 200);
    for source in ["tokens", "keys"] {
        let line = format!("credlink_credentials_unread{{source=\"{source}\"}} 1");
        assert!(metrics.lines().any(|told| told == line), "{line}");
    }

    std::fs::write(&keys, jwks().to_string()).unwrap();
    let told = told_of(&server, 1);
    assert_eq!(
        (&told["credentials"][0]["source"], &told["problems"]),
        (&json!("tokens"), &json!([problems[0]]))
    );
}

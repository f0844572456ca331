//! Unusable variables: the log alone names them, and no request is answered on the basis of a guess.

use futures_util::future::join_all;
use serde_json::Value;

use super::seeds::{Seed, kind, read};
use crate::engines::edge::Edge;

const ZONE: (&str, &str) = ("CREDLINK_ZONE_ID", "fedcba9876543210fedcba9876543210");
const ZONE_TOKEN: (&str, &str) = ("CREDLINK_ZONE_TOKEN", "a-token-of-the-zone");

/// The answer to clients, whichever variable is wrong.
const SAID_TO_ALL: &str =
    "the edge is set up wrongly; the operator finds the reason in the log under the request id";

/// Variables, and what the log says about them.
type Case = (Vec<(&'static str, &'static str)>, String);

fn cases() -> Vec<Case> {
    let seconds = [
        ("CREDLINK_RECORD_FRESH", "soon"),
        ("CREDLINK_RECORD_STALE", "-1"),
        ("CREDLINK_IMMUTABLE_FRESH", "86401"),
        ("CREDLINK_IMMUTABLE_STALE", "1.5"),
        ("CREDLINK_ABSENT", "18446744073709551616"),
        ("CREDLINK_STALE_IF_ERROR", "1h"),
    ];
    let seconds = seconds.map(|(name, value)| {
        (vec![(name, value)], format!("{name} is `{value}`; it has to be a whole number from 0 to 86400"))
    });
    let milliseconds = ["99", "25001", "fast"].map(|value| {
        let said = format!("CREDLINK_TIMEOUT is `{value}`; it has to be a whole number from 100 to 25000");
        (vec![("CREDLINK_TIMEOUT", value)], said)
    });
    let url = |name, value: &str| {
        format!("{name} is `{value}`; it has to be a URL such as https://api.example.com, without a query")
    };
    let urls = ["api.example.com", "ftp://api.example.com", "https://api.example.com/?a=b", "https://"];
    let urls = urls.map(|value| (vec![("CREDLINK_ORIGIN_URL", value)], url("CREDLINK_ORIGIN_URL", value)));
    let keys = |said: &str| format!("CREDLINK_LINK_KEYS cannot be used: {said}");
    let others = [
        (
            vec![ZONE, ZONE_TOKEN, ("CREDLINK_CLOUDFLARE_API", "cloudflare")],
            url("CREDLINK_CLOUDFLARE_API", "cloudflare"),
        ),
        (
            vec![ZONE_TOKEN, ("CREDLINK_ZONE_ID", "../../accounts")],
            "CREDLINK_ZONE_ID is `../../accounts`; it has to be 32 hexadecimal digits, as the zone's page shows them"
                .to_owned(),
        ),
        (
            vec![ZONE],
            "CREDLINK_ZONE_TOKEN is not set; it has to be an API token with the permission Cache Purge, as \
             CREDLINK_ZONE_ID is set"
                .to_owned(),
        ),
        (
            vec![ZONE_TOKEN],
            "CREDLINK_ZONE_ID is not set; it has to be the id of the zone, as CREDLINK_ZONE_TOKEN is set".to_owned(),
        ),
        (
            vec![("CREDLINK_PURGE_TOKEN", "a-token-that-is-a-bit-too-short")],
            "CREDLINK_PURGE_TOKEN cannot be used: it has to have at least 32 characters".to_owned(),
        ),
        (vec![("CREDLINK_LINK_KEYS", "no-name-and-no-secret")], keys("a link key is written `NAME:SECRET`")),
        (
            vec![("CREDLINK_LINK_KEYS", "first:0123456789abcdef0123456789abcdef")],
            keys("a link key's secret has 64 hexadecimal digits or more, an even number of them"),
        ),
    ];
    seconds.into_iter().chain(milliseconds).chain(urls).chain(others).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_variable_that_cannot_be_used_is_said_in_the_log_alone() {
    join_all(cases().iter().map(async |(variables, said)| {
        let edge = Edge::with(variables.iter().map(|(name, value)| (*name, (*value).to_owned()))).await;
        for path in [Seed::record("any").path(), "/health".to_owned()] {
            edge.forget().await;
            let (answer, how) = read(&edge, &path).await;
            assert_eq!(
                (answer.status().as_u16(), &*kind(&answer), &*how),
                (500, "internal", ""),
                "{variables:?}"
            );
            let problem: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(problem["detail"], SAID_TO_ALL);
            assert_eq!(problem.as_object().unwrap().len(), 5, "and an id, to find the line with: {problem}");
            let lines = edge.logs().await;
            let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "error").collect();
            assert_eq!(errors.len(), 1, "{lines:?}");
            assert_eq!(errors[0]["reason"], **said);
            assert_eq!(errors[0]["message"], "the Worker is set up wrongly");
            assert_eq!(lines.len(), 2, "and the line of the request: {lines:?}");
        }
        assert_eq!(edge.count("").await, 0, "nothing is called");
    }))
    .await;
}

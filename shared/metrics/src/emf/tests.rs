//! The lines of one invocation, checked against the rules by which CloudWatch refuses lines.

use credlink_ports::{Event, Events as _};
use metrics::{counter, gauge, histogram};
use serde_json::Value;

use super::*;
use crate::catalogue::CATALOGUE;
use crate::metered::Metered;

fn flush_of(dimensions: &[(&str, &str)]) -> Flush {
    Flush(Arc::new(Emf::new("CredLink", dimensions).unwrap()))
}

fn now() -> Timestamp {
    "2026-01-01T12:00:00.250Z".parse().unwrap()
}

/// Returns the lines that a flush writes, each checked against the specification.
fn lines(flush: &Flush) -> Vec<Value> {
    let mut written = Vec::new();
    flush.flush(now(), &mut written).unwrap();
    let text = String::from_utf8(written).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).inspect(check).collect()
}

/// Checks a line against the specification: its schema, and that every target exists and has its type.
fn check(line: &Value) {
    assert!(line["_aws"]["Timestamp"].is_u64(), "{line}");
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert!((1..=1_024).contains(&directive["Namespace"].as_str().unwrap().len()), "{line}");
        let sets = directive["Dimensions"].as_array().unwrap();
        assert!(!sets.is_empty(), "{line}");
        for set in sets {
            let names = set.as_array().unwrap();
            assert!(names.len() <= MAX_DIMENSIONS, "{line}");
            for name in names {
                let value = line[name.as_str().unwrap()].as_str().unwrap();
                assert!((1..=1_024).contains(&value.len()), "{line}");
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()), "{line}");
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert!(
                ["Count", "Bytes", "Milliseconds", "Seconds", "None"]
                    .contains(&metric["Unit"].as_str().unwrap())
            );
            match &line[name] {
                Value::Array(values) => {
                    assert!(
                        (1..=100).contains(&values.len()) && values.iter().all(Value::is_number),
                        "{line}"
                    );
                }
                value => assert!(value.is_number(), "{line}"),
            }
        }
    }
}

#[test]
fn an_invocation_is_a_line_for_each_set_of_dimensions() {
    let flush = flush_of(&[("Function", "credlink-store")]);
    let mut written = Vec::new();
    metrics::with_local_recorder(&flush.0, || {
        let metered = Metered::new();
        metered.record(Event::Stored);
        metered.record(Event::Answered { route: "store_proof", microseconds: 12_500 });
        metered.record(Event::Answered { route: "health", microseconds: 1_000 });
        counter!("credlink_cache_hits", "layer" => "l1").increment(2);
        gauge!("credlink_breaker_state", "provider" => "r2").set(1);
        for (provider, operation, value) in [("s3", "get", 3.0), ("s3", "put", 8.5), ("r2", "put", 21.0)] {
            histogram!("credlink_provider_latency_ms", "provider" => provider, "operation" => operation)
                .record(value);
        }
        flush.flush(now(), &mut written).unwrap();
        assert_eq!(lines(&flush).len(), 0, "what was told is told once");
        metered.record(Event::Stored);
        assert_eq!(lines(&flush).len(), 1);
    });
    let text = String::from_utf8(written).unwrap();
    text.lines().for_each(|line| check(&serde_json::from_str(line).unwrap()));
    insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!("invocation", text.trim_end()) });
}

#[test]
fn more_than_100_values_go_to_further_lines_and_counts_to_one() {
    let flush = flush_of(&[("Function", "a")]);
    metrics::with_local_recorder(&flush.0, || {
        counter!("credlink_stores").increment(5);
        let histogram = histogram!("credlink_request_ms", "route" => "store_proof");
        (0..250).for_each(|value| histogram.record(f64::from(value)));
        histogram.record(f64::NAN);
    });
    let lines = lines(&flush);
    let values: Vec<f64> = lines
        .iter()
        .flat_map(|line| line["credlink_request_ms"].as_array().unwrap())
        .map(|value| value.as_f64().unwrap())
        .collect();
    assert_eq!(values, (0..250).map(f64::from).collect::<Vec<_>>());
    let counts: Vec<&Value> = lines.iter().filter_map(|line| line.get("credlink_stores")).collect();
    assert_eq!((lines.len(), counts), (3, vec![&Value::from(5)]));
}

#[test]
fn absolute_counts_grow_and_gauges_stay() {
    let flush = flush_of(&[]);
    let told = |name: &str| lines(&flush).first().map(|line| line[name].clone());
    metrics::with_local_recorder(&flush.0, || {
        for (absolute, growth) in [(3, Some(3)), (5, Some(2)), (5, None), (4, None)] {
            counter!("credlink_cache_hits", "layer" => "l1").absolute(absolute);
            assert_eq!(told("credlink_cache_hits"), growth.map(Value::from), "{absolute}");
        }
        gauge!("credlink_queue_depth").set(5);
        assert_eq!(told("credlink_queue_depth"), Some(5.0.into()));
        gauge!("credlink_queue_depth").decrement(2);
        assert_eq!(told("credlink_queue_depth"), Some(3.0.into()));
    });
}

#[test]
fn what_cloudwatch_does_not_take_is_refused_at_the_start() {
    let long = "x".repeat(MAX_CHARACTERS + 1);
    let many: Vec<(&str, &str)> = vec![("a", "b"); MAX_DIMENSIONS];
    let refused = |namespace: &str, dimensions: &[(&str, &str)]| {
        Emf::new(namespace, dimensions).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused("", &[]).contains("namespace"));
    assert!(refused(&long, &[]).contains("namespace"));
    assert!(refused("a", &[("Function", "")]).contains("`Function` has not"));
    assert!(refused("a", &[("b", &long)]).contains("`b` has not"));
    assert!(refused("a", &many).contains("these are 30"));
    assert_eq!(refused("a", &[("Function", "b")]), "");
    assert!(CATALOGUE.len() <= 100);
}

//! One line in the Embedded Metric Format (CloudWatch user guide, "Specification: Embedded metric format").

use credlink_core::time::Timestamp;
use serde_json::{Map, Value, json};

use super::values::{Label, Named, Values};
use crate::catalogue;

/// Returns the line's document. The catalogue has fewer metrics than the 100 that a line may have.
pub(super) fn line(
    namespace: &str,
    dimensions: &[Label],
    labels: &[Label],
    metrics: &[Named],
    now: Timestamp,
) -> Value {
    let dimensions: Vec<&Label> = dimensions.iter().chain(labels).collect();
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| name.as_str()).collect();
    let definitions: Vec<Value> = metrics.iter().map(|(name, _)| definition(name)).collect();
    let mut root = Map::new();
    let directive = json!({"Namespace": namespace, "Dimensions": [names], "Metrics": definitions});
    root.insert(
        "_aws".to_owned(),
        json!({"Timestamp": now.milliseconds(), "CloudWatchMetrics": [directive]}),
    );
    for (name, value) in dimensions {
        root.insert(name.clone(), value.as_str().into());
    }
    for (name, values) in metrics {
        let value = match values {
            Values::One(value) => json!(value),
            Values::Count(count) => json!(count),
            Values::Many(values) => json!(values),
        };
        root.insert(name.clone(), value);
    }
    Value::Object(root)
}

fn definition(name: &str) -> Value {
    match catalogue::find(name) {
        Some(metric) => json!({"Name": name, "Unit": metric.unit.cloudwatch()}),
        None => json!({"Name": name}),
    }
}

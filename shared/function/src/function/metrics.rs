//! Metrics as lines of the log, in CloudWatch's embedded metric format.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::Timestamp;

/// The namespace of all metrics.
const NAMESPACE: &str = "batchwright";

/// The one dimension: which function counted.
const DIMENSION: &str = "function";

/// Something counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as in `JobsSubmitted`.
    pub name: &'static str,
    /// How many.
    pub count: u64,
}

impl Metric {
    /// So many of something.
    pub const fn count(name: &'static str, count: u64) -> Self {
        Self { name, count }
    }
}

/// The line that gives CloudWatch the sums of all metrics by name; `None` where there is none.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
pub(crate) fn metrics_line(function: &str, now: Timestamp, metrics: &[Metric]) -> Option<String> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for metric in metrics {
        *sums.entry(metric.name).or_default() += metric.count;
    }
    if sums.is_empty() {
        return None;
    }
    let definitions: Vec<Value> = sums.keys().map(|name| json!({"Name": name, "Unit": "Count"})).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": now.as_millis(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [[DIMENSION]],
                "Metrics": definitions,
            }],
        },
        DIMENSION: function,
    });
    for (name, sum) in sums {
        line[name] = sum.into();
    }
    Some(line.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_one_name_are_one_metric() {
        let metrics = [
            Metric::count("JobsFailed", 1),
            Metric::count("StateChanges", 1),
            Metric::count("JobsFailed", 2),
        ];
        let line = metrics_line("bw-state-handler", Timestamp::from_millis(1_700_000_000_000), &metrics);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_000_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "batchwright",
                    "Dimensions": [["function"]],
                    "Metrics": [{"Name": "JobsFailed", "Unit": "Count"}, {"Name": "StateChanges", "Unit": "Count"}],
                }],
            },
            "function": "bw-state-handler",
            "JobsFailed": 3,
            "StateChanges": 1,
        });
        assert_eq!(serde_json::from_str::<Value>(&line.unwrap()).unwrap(), expected);
    }

    #[test]
    fn nothing_counted_is_no_line() {
        assert_eq!(metrics_line("f", Timestamp::from_millis(0), &[]), None);
    }
}

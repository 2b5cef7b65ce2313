//! What an operator relies on: each alarm has its page, each metric and field of the log is declared, documented
//! and emitted.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use batchwright::function::{LOG_FIELDS, METRICS};
use batchwright_tests::schema::conforms;
use batchwright_tests::template::{of_type, read};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The sources of a folder, each without its tests.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "tests" && name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = fs::read_to_string(&path).unwrap();
                let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
                found.push((path.display().to_string(), code));
            }
        }
    }
    found
}

/// What stands between `open` and the next `close`, everywhere.
fn between<'a>(text: &'a str, open: &str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

#[test]
fn the_functions_say_the_version_that_the_doctor_compares() {
    let template = read("app.yaml");
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    assert_eq!(variables["BATCHWRIGHT_VERSION"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_alarm_has_a_page_and_every_page_an_alarm() {
    let template = read("app.yaml");
    let alarms = of_type(&template, "AWS::CloudWatch::Alarm");
    let names: BTreeSet<String> = alarms
        .values()
        .map(|alarm| alarm["Properties"]["AlarmName"].as_str().unwrap().replace("${Name}-", ""))
        .collect();
    assert_eq!(names.len(), alarms.len(), "two alarms of one name");
    let runbook = text("docs/runbook.md");
    let known: BTreeSet<&str> = METRICS.iter().map(|(name, ..)| *name).collect();
    let pages: BTreeSet<String> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|page| page.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        .map(str::to_owned)
        .collect();
    assert_eq!(names, pages);
    assert!(known.len() == METRICS.len(), "a metric is declared twice");
}

#[test]
fn an_alarm_on_our_own_metric_looks_at_one_that_its_function_emits() {
    let template = read("app.yaml");
    let functions = of_type(&template, "AWS::Serverless::Function");
    let mut looked_at = 0;
    let mut check = |metric: &Value| {
        if metric["Namespace"] != "batchwright" {
            return;
        }
        looked_at += 1;
        let name = metric["MetricName"].as_str().unwrap();
        let function = metric["Dimensions"][0]["Value"].as_str().unwrap();
        let function = functions[function]["Properties"]["FunctionName"].as_str().unwrap();
        let declared = METRICS.iter().find(|(declared, ..)| *declared == name);
        let (_, by, _) = declared.unwrap_or_else(|| panic!("{name} is not declared"));
        let function = function.replace("${Name}-", "");
        assert!(by.split(", ").any(|by| by == function), "{name} is not emitted by {function}");
    };
    for alarm in of_type(&template, "AWS::CloudWatch::Alarm").values() {
        let properties = &alarm["Properties"];
        assert!(!properties["AlarmActions"].is_null(), "nobody is told: {alarm}");
        check(properties);
        let several = properties["Metrics"].as_array().into_iter().flatten();
        several.for_each(|metric| check(&metric["MetricStat"]["Metric"]));
    }
    assert!(looked_at > 5, "{looked_at}");
}

/// The metrics of a namespace that an alarm looks at, each with its functions, by their words.
fn looked_at(template: &Value, namespace: &str) -> BTreeMap<String, BTreeSet<String>> {
    let functions = of_type(template, "AWS::Serverless::Function");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for alarm in of_type(template, "AWS::CloudWatch::Alarm").values() {
        let properties = &alarm["Properties"];
        let several = properties["Metrics"].as_array().into_iter().flatten();
        let metrics = several.map(|metric| &metric["MetricStat"]["Metric"]).chain([properties]);
        for metric in metrics.filter(|metric| metric["Namespace"] == namespace) {
            let function = metric["Dimensions"][0]["Value"].as_str().unwrap();
            let Some(function) = functions.get(function) else { continue };
            let function = function["Properties"]["FunctionName"].as_str().unwrap().replace("${Name}-", "");
            found.entry(metric["MetricName"].as_str().unwrap().to_owned()).or_default().insert(function);
        }
    }
    found
}

#[test]
fn an_alarm_looks_at_every_function_that_can_raise_it_and_the_dashboard_shows_them() {
    let template = read("app.yaml");
    let dashboards = of_type(&template, "AWS::CloudWatch::Dashboard");
    let body = dashboards["Dashboard"]["Properties"]["DashboardBody"].to_string();
    let body: String = body.replace("\\n", "").split_whitespace().collect();
    let is_shown = |namespace: &str, metric: &str, dimension: &str, function: &str| {
        let line = format!(r#"[\"{namespace}\",\"{metric}\",\"{dimension}\",\"${{Name}}-{function}\"]"#);
        assert!(body.contains(&line), "the dashboard lacks {metric} of {function}");
    };
    for (metric, functions) in looked_at(&template, "batchwright") {
        let (_, by, _) = METRICS.iter().find(|(name, ..)| *name == metric).unwrap();
        assert_eq!(functions, by.split(", ").map(str::to_owned).collect(), "{metric}");
        functions.iter().for_each(|function| is_shown("batchwright", &metric, "function", function));
    }
    // Lambda gives up a call that nobody waits for: each function that has settings for such calls.
    let dropped = looked_at(&template, "AWS/Lambda").remove("AsyncEventsDropped").unwrap();
    let asynchronous: BTreeSet<String> = of_type(&template, "AWS::Serverless::Function")
        .values()
        .filter(|function| !function["Properties"]["EventInvokeConfig"].is_null())
        .map(|function| function["Properties"]["FunctionName"].as_str().unwrap().replace("${Name}-", ""))
        .collect();
    assert_eq!(dropped, asynchronous);
    dropped
        .iter()
        .for_each(|function| is_shown("AWS/Lambda", "AsyncEventsDropped", "FunctionName", function));
}

#[test]
fn a_number_that_would_end_a_function_at_its_start_is_refused_by_the_template() {
    let template = read("app.yaml");
    for (name, least, most, never) in
        [("SubmitRate", 1, 10_000, "0"), ("BatchRate", 1, 1_000, "0"), ("BundleLogsFrom", 2, 10, "1")]
    {
        let parameter = &template["Parameters"][name];
        let schema = json!({"type": "string", "pattern": parameter["AllowedPattern"]});
        let may = |value: &str| conforms(&schema, &json!(value));
        for right in [&least.to_string(), &most.to_string(), parameter["Default"].as_str().unwrap()] {
            assert!(may(right), "{name}: {right}");
        }
        for wrong in [never, "1.5", "-1", "", "05", &(most + 1).to_string()] {
            assert!(!may(wrong), "{name}: {wrong}");
        }
    }
}

#[test]
fn every_metric_is_declared_emitted_and_documented() {
    let mut emitted: BTreeSet<String> = BTreeSet::new();
    for folder in ["functions", "shared/function/src"] {
        for (_, code) in sources(folder) {
            let names = between(&code, "Metric::count(", ',').map(str::trim);
            emitted.extend(
                names.filter(|name| name.starts_with('"')).map(|name| name.trim_matches('"').to_owned()),
            );
        }
    }
    let declared: BTreeSet<String> = METRICS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(emitted, declared);
    let page = text("docs/metrics.md");
    let rows: Vec<String> =
        METRICS.iter().map(|(name, by, meaning)| format!("| `{name}` | {by} | {meaning} |")).collect();
    let listed: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 4).collect();
    assert_eq!(listed, rows, "docs/metrics.md");
}

#[test]
fn every_field_of_the_log_is_declared_written_and_documented() {
    let mut written: BTreeSet<String> = BTreeSet::new();
    for folder in ["functions", "shared"] {
        for (_, code) in sources(folder) {
            for level in ["info!(", "warn!(", "error!(", "debug!("] {
                for call in code.split(level).skip(1) {
                    let call = call.split(");").next().unwrap_or_default();
                    let fields = call.split(',').filter_map(|part| part.split_once(" = "));
                    let dotted = fields.map(|(name, _)| name.trim()).filter(|name| {
                        name.contains('.')
                            && name
                                .chars()
                                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c))
                    });
                    written.extend(dotted.map(str::to_owned));
                }
            }
        }
    }
    let declared: BTreeSet<String> = LOG_FIELDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(written, declared);
    let page = text("docs/metrics.md");
    for (name, meaning) in LOG_FIELDS {
        let row = format!("| `{name}` | {meaning} |");
        assert!(page.lines().any(|line| line == row), "docs/metrics.md lacks {row}");
    }
}

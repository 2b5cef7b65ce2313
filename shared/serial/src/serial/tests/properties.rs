//! Round trips of whatever.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{block_on, converted, converted_by};
use crate::serial::ConvertOptions;

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?",
    ]
}

fn space() -> impl Strategy<Value = String> {
    "[ \\t\\r\\n]{0,3}"
}

fn quoted() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        "\"(\\\\u00[0-9a-f]{2}|[a-z,:{}\\[\\]]){0,6}\""
    ]
}

/// JSON texts with odd white space, digits and escapes.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![number(), quoted(), Just("true".to_owned()), Just("null".to_owned())];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let spaced =
            (space(), inner, space()).prop_map(|(before, value, after)| before + &value + &after).boxed();
        let member = (quoted(), space(), spaced.clone())
            .prop_map(|(key, space, value)| format!("{key}{space}:{value}"));
        prop_oneof![
            prop::collection::vec(spaced, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// Values without doubles, whose digits YAML does not keep.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[-#:?|>&*!%@`'\"\\[\\]{}, a\\n0.~_]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let key = prop_oneof![any::<String>(), "[-#:?|>&*!%@`'\"\\[\\]{}, a\\n0.~_]{0,8}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Left out outside of texts.
fn without_space(json: &str) -> String {
    let mut is_text = false;
    let mut is_escaped = false;
    json.chars()
        .filter(|&each| {
            let keeps = is_text || !each.is_ascii_whitespace();
            if each == '"' && !is_escaped {
                is_text = !is_text;
            }
            is_escaped = each == '\\' && !is_escaped;
            keeps
        })
        .collect()
}

proptest! {
    #[test]
    fn an_array_becomes_lines_and_comes_back_with_every_digit(items in prop::collection::vec(json(), 0..6)) {
        let array = format!("[{}]", items.join(" ,\n"));
        let lines = converted(&array, "json", "jsonl").unwrap();
        prop_assert_eq!(lines.lines().count(), items.len());
        let back = converted(&lines, "jsonl", "json").unwrap();
        prop_assert_eq!(without_space(&back), without_space(&array));
        prop_assert_eq!(converted(&back, "json", "jsonl").unwrap(), lines);
    }

    #[test]
    fn a_collection_becomes_a_sequence_and_comes_back_with_its_header(
        members in prop::collection::vec(json(), 0..4),
        features in prop::collection::vec(json(), 0..4),
        at in 0usize..6,
        separated in any::<bool>(),
        packing in prop::sample::select(vec!["", ".gz", ".zst"]),
    ) {
        let features: Vec<_> = features.iter().map(|json| format!("{{\"x\":{json},\n\"type\":\"Feature\"}}")).collect();
        let mut members: Vec<_> = members.iter().enumerate().map(|(index, json)| format!("\"k\\u006b{index}\": {json}")).collect();
        members.push("\"type\":\"FeatureCollection\"".to_owned());
        members.insert(at.min(members.len()), format!("\"features\":[{}]", features.join(",")));
        let collection = format!("{{{}}}", members.join(" , "));

        let mut options = ConvertOptions { record_separators: separated, ..ConvertOptions::default() };
        let sequence = format!("geojsonl{packing}");
        let (lines, report) = block_on(converted_by(collection.as_bytes(), "geojson", &sequence, &options)).unwrap();
        prop_assert_eq!(report.records, features.len() as u64);
        options.header = report.header;
        let (back, _) = block_on(converted_by(&lines, "geojsonl", "geojson", &options)).unwrap();
        prop_assert_eq!(without_space(&String::from_utf8(back).unwrap()), without_space(&collection));
    }

    #[test]
    fn json_becomes_yaml_and_comes_back(value in value()) {
        let json = value.to_string();
        let yaml = converted(&json, "json", "yaml").unwrap();
        let back = converted(&yaml, "yaml", "json").unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), value, "{}", yaml);
    }

    #[test]
    fn no_bytes_whatever_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), to in 0usize..5, from in 0usize..5) {
        let formats = ["json", "jsonl", "geojson", "geojsonl", "yaml"];
        let _ = block_on(converted_by(&bytes, formats[from], formats[to], &ConvertOptions::default()));
    }
}

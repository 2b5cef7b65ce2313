//! Borders of chunks at every byte.

use super::reader::Pieces;
use super::{block_on, format};
use crate::serial::{AsyncSink, ConvertOptions, Report, convert};

/// What a conversion gives, or says.
fn outcome(reader: Pieces<'_>, from: &str, to: &str) -> Result<(Vec<u8>, Report), String> {
    let mut sink = AsyncSink(Vec::new());
    let done = block_on(convert(reader, format(from), &mut sink, format(to), &ConvertOptions::default()));
    done.map(|report| (sink.0, report)).map_err(|error| error.to_string())
}

#[test]
fn where_chunks_end_makes_no_difference_to_result_or_message() {
    let feature =
        "{\"type\":\"Feature\",\r\n \"geometry\":null , \"properties\":{\"é\\u00e9\\\"\": [1.5e-3, true]}}";
    let collection = format!(
        "\u{feff} {{\"a\\u0062\":{{\"x\":[1]}},\"features\": [{feature}, {feature}] ,\"type\":\"FeatureCollection\", \"z\": -0.0}} "
    );
    let one_line = feature.replace("\r\n", "");
    for (input, from, to) in [
        (collection.clone(), "geojson", "geojsonl"),
        (collection.clone(), "geojson", "geojson"),
        (collection.clone(), "json", "json"),
        (collection.clone(), "json", "geojson"),
        (collection.clone(), "json", "jsonl"),
        (format!(" \n[{one_line}, {one_line}]"), "json", "geojson"),
        (format!("[{feature},12 , null,{collection}]").replace('\u{feff}', ""), "json", "jsonl"),
        (format!("\x1e{feature}\n{one_line}\n\x1e{feature}"), "geojsonl", "geojson"),
        (format!("\u{feff}{one_line}\r\n\n12\n\"é\""), "jsonl", "json"),
        (one_line.clone(), "json", "yaml"),
        ("\u{feff}é: [1, 'x']\n".to_owned(), "yaml", "json"),
        // And what is refused.
        (collection.replace("-0.0", "-0.0.0"), "geojson", "geojsonl"),
        (collection.replace("[1]", "[NaN]"), "geojson", "json"),
        (collection.replace("features\"", "feature\""), "geojson", "geojsonl"),
        (format!("\x1e{feature}\n\x1e{{\"type\":\x1e{feature}"), "geojsonl", "geojsonl"),
        (format!("{one_line}\n{feature}\n"), "jsonl", "json"),
        (format!("{one_line} {one_line}\n"), "jsonl", "json"),
        ("[1,\n2".to_owned(), "json", "jsonl"),
        ("{\"a\": 1}\n]".to_owned(), "json", "json"),
    ] {
        let input = input.as_bytes();
        let whole = outcome(Pieces::of(input, usize::MAX), from, to);
        for each in [1, 2, 3, 7] {
            assert_eq!(
                outcome(Pieces::of(input, each), from, to),
                whole,
                "{each} bytes at once, {from} to {to}"
            );
        }
        for at in 0..input.len() {
            assert_eq!(outcome(Pieces::cut_at(input, at), from, to), whole, "cut at {at}, {from} to {to}");
        }
    }
}

#[test]
fn a_document_that_is_cut_short_anywhere_is_refused() {
    let input =
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"a\":[1,\"x\"]}],\"b\":12}";
    for end in 0..input.len() {
        for to in ["geojson", "geojsonl"] {
            let message =
                outcome(Pieces::of(&input.as_bytes()[..end], usize::MAX), "geojson", to).unwrap_err();
            let expected = if end == 0 {
                "there is no value"
            } else {
                "the text breaks off here; the input is cut short, write it again"
            };
            assert!(message.contains(expected), "{end}: {message}");
            assert!(
                message.starts_with(&format!("line 1, column {} (byte {end})", end + 1)),
                "{end}: {message}"
            );
        }
    }
}

//! What is JSON, held against serde_json.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use crate::serial::limits::DEPTH_MAX;
use crate::serial::scanner::{Scanner, Signal};
use crate::serial::text_position::TextPosition;

/// Whether all bytes are one value, taken in chunks.
fn accepts(text: &[u8], chunk_bytes: usize) -> bool {
    let mut scanner = Scanner::new(TextPosition::START);
    for chunk in text.chunks(chunk_bytes) {
        let mut at = 0;
        while at < chunk.len() {
            match scanner.advance(&chunk[at..], u32::MAX) {
                Ok((taken, _)) => at += taken,
                Err(_) => return false,
            }
        }
    }
    scanner.finish().is_ok()
}

fn serde_json_accepts(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

#[test]
fn the_scanner_takes_what_serde_json_takes() {
    for text in [
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "-",
        "01",
        "1.",
        "1.5",
        ".5",
        "1e5",
        "1E+5",
        "1e-",
        "1e",
        "--1",
        "+1",
        "1 2",
        "\"\"",
        "\"a",
        "\"\\n\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12aF\"",
        "\"\\ud800\"",
        "\"\u{7f}\"",
        "\"\t\"",
        "\"é\u{10ffff}\"",
        "[]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[[],[]]",
        "]",
        "[}",
        "{}",
        "{\"a\":1}",
        "{\"a\" : 1 , \"b\":[]}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\",1}",
        "{]",
        "nul",
        "nulll",
        "tru e",
        "",
        " ",
        "\u{feff}1",
        "[1]x",
        "NaN",
        "[NaN]",
        "-Infinity",
        "1 ",
        "\u{b}1",
        "\u{a0}1",
        "[1]\0",
    ] {
        assert_eq!(accepts(text.as_bytes(), 1), serde_json_accepts(text.as_bytes()), "{text:?}");
        assert_eq!(accepts(text.as_bytes(), 100), serde_json_accepts(text.as_bytes()), "{text:?}");
    }
}

/// All sequences of up to four bytes around the borders of UTF-8's ranges.
#[test]
fn the_scanner_takes_as_utf_8_what_the_standard_library_takes() {
    let bytes = [
        0x20, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
        0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ];
    let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
    for length in 0..4 {
        let longer = texts
            .iter()
            .filter(|text| text.len() == length)
            .flat_map(|text| bytes.map(|byte| [text.as_slice(), &[byte]].concat()));
        let longer: Vec<_> = longer.collect();
        texts.extend(longer);
    }
    for text in &texts {
        let quoted = [b"\"", text.as_slice(), b"\""].concat();
        assert_eq!(accepts(&quoted, 16), std::str::from_utf8(text).is_ok(), "{text:x?}");
    }
    assert_eq!(texts.len(), 1 + 23 + 23 * 23 + 23 * 23 * 23 + 23 * 23 * 23 * 23);
}

#[test]
fn nesting_is_bounded_where_serde_json_bounds_it() {
    for (depth, fits) in [(DEPTH_MAX, true), (DEPTH_MAX + 1, false), (100_000, false)] {
        let text = "[".repeat(depth as usize) + &"]".repeat(depth as usize);
        assert_eq!(accepts(text.as_bytes(), 64), fits);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), fits);
    }
}

#[test]
fn values_and_keys_are_told_with_the_containers_around_them() {
    let mut scanner = Scanner::new(TextPosition::START);
    let text = b"{\"a\": [1, \"b\"], \"c\": null} ";
    let mut told = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (taken, signal) = scanner.advance(&text[at..], 1).unwrap();
        at += taken;
        told.push((signal, at, scanner.depth()));
    }
    use Signal::{Begin, End, KeyBegin, KeyEnd, None};
    let expected = [
        (Begin, 1, 1),
        (KeyBegin, 2, 1),
        (KeyEnd, 4, 1),
        (Begin, 7, 2),
        (End, 14, 1),
        (KeyBegin, 17, 1),
        (KeyEnd, 19, 1),
        (Begin, 22, 1),
        (End, 25, 1),
        (End, 26, 0),
        (None, 27, 0),
    ];
    assert_eq!(told, expected);
}

proptest! {
    #[test]
    fn the_scanner_takes_what_serde_json_takes_of_whatever_is_made_of_tokens(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "1", "-", "0", ".", "e", "+", "true", "null", "\\", "u00e9", " ", "\n", "é",
        ]), 0..14),
        chunk_bytes in 1usize..5,
    ) {
        let text = tokens.concat();
        prop_assert_eq!(accepts(text.as_bytes(), chunk_bytes), serde_json_accepts(text.as_bytes()), "{:?}", text);
    }

    #[test]
    fn the_scanner_takes_what_serde_json_takes_of_damaged_json(
        at in 0usize..80, byte in any::<u8>(), chunk_bytes in 1usize..9,
    ) {
        let mut text = b"{\"type\":\"x\\u00e9\\n\",\"a\":[1.50e-3,-0,true,{\"b\":null}],\"c\":\"\xc3\xa9\",\"d\":false}".to_vec();
        let at = at % text.len();
        text[at] = byte;
        prop_assert_eq!(accepts(&text, chunk_bytes), serde_json_accepts(&text));
    }
}

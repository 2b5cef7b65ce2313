//! A record on one line.

/// Leaves out line breaks and the white space behind them: in checked JSON they stand between tokens alone.
/// Appends to `line`; nothing else changes.
pub(super) fn on_one_line(record: &[u8], line: &mut Vec<u8>) {
    let mut rest = record;
    while let Some(at) = rest.iter().position(|&byte| matches!(byte, b'\n' | b'\r')) {
        line.extend_from_slice(&rest[..at]);
        rest = rest[at..].trim_ascii_start();
    }
    line.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_and_indentation_are_left_out_and_nothing_else() {
        for (record, expected) in [
            (r#"{"a": [1,  2]}"#, r#"{"a": [1,  2]}"#),
            ("{\r\n  \"a b\\n\": [\n\t1.50,\n\t2\n  ]\n}", r#"{"a b\n": [1.50,2]}"#),
            ("[\n\n]", "[]"),
            ("1", "1"),
        ] {
            let mut line = Vec::new();
            on_one_line(record.as_bytes(), &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}

//! How a file is written, told by its content first.

use super::json;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    JsonLines,
    Yaml,
}

impl Format {
    /// Tells the format by how the text begins, and by the name's suffix where that could be either.
    /// `whole` says that the text is all there is of the file.
    pub(super) fn of(text: &str, name: &str, whole: bool) -> Self {
        let suffix = suffix(name);
        let text = text.trim_ascii_start();
        if text.is_empty() {
            return suffix.unwrap_or(Self::Yaml);
        }
        match (text.as_bytes()[0], suffix) {
            (_, Some(Self::Yaml)) => Self::Yaml,
            (b'{', _) if !whole => Self::of_beginning(text, suffix),
            (b'{' | b'[', _) => Self::of_json(text, suffix),
            (_, Some(suffix)) => suffix,
            (_, None) => Self::Yaml,
        }
    }

    /// Several values, the first of which ends with its line, are JSON Lines.
    fn of_json(text: &str, suffix: Option<Self>) -> Self {
        match json::more_after_first(text) {
            Ok(None) => Self::Json,
            Ok(Some(end)) if text[..end].contains('\n') => suffix.unwrap_or(Self::Json),
            Ok(Some(_)) if text.starts_with('{') => Self::JsonLines,
            Ok(Some(_)) => Self::Json,
            Err(_) if suffix == Some(Self::JsonLines) || first_line_is_a_value(text) => Self::JsonLines,
            Err(_) => Self::Json,
        }
    }

    fn of_beginning(text: &str, suffix: Option<Self>) -> Self {
        match suffix {
            Some(Self::JsonLines) => Self::JsonLines,
            _ if first_line_is_a_value(text) => Self::JsonLines,
            _ => Self::Json,
        }
    }
}

fn first_line_is_a_value(text: &str) -> bool {
    text.split_once('\n').is_some_and(|(line, _)| json::more_after_first(line).is_ok())
}

fn suffix(name: &str) -> Option<Format> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "json" => Some(Format::Json),
        "jsonl" | "ndjson" => Some(Format::JsonLines),
        "yaml" | "yml" => Some(Format::Yaml),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_comes_before_the_suffix() {
        for (text, name, expected) in [
            ("{}", "x", Format::Json),
            ("[]", "x.jsonl.gz", Format::Json),
            ("{}\n{}", "x.json", Format::JsonLines),
            ("{\n}\n{}", "x.json", Format::Json),
            ("{\n}\n{}", "x.ndjson", Format::JsonLines),
            ("{}\n{", "x", Format::JsonLines),
            ("{\n{", "x", Format::Json),
            ("{}\n{}", "x.YML", Format::Yaml),
            ("a: b", "x", Format::Yaml),
            ("a: b", "x.json", Format::Json),
        ] {
            assert_eq!(Format::of(text, name, true), expected, "{name}: {text}");
        }
    }

    #[test]
    fn the_first_line_of_a_long_file_tells_lines_from_one_value() {
        for (text, name, expected) in [
            ("{\"a\": 1}\n{\"b\"", "x", Format::JsonLines),
            ("{\n\"jobs\": [", "x", Format::Json),
            ("{\"jobs\": [", "x.jsonl", Format::JsonLines),
            ("[{", "x", Format::Json),
        ] {
            assert_eq!(Format::of(text, name, false), expected, "{name}: {text}");
        }
    }
}

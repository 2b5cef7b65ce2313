//! YAML 1.2, of what JSON has too: read within a budget, written so that readers of YAML 1.1 read the same.

use std::collections::HashSet;
use std::fmt;

use batchwright_yaml::{ForeignTag, Remedies, ends_without_break, foreign_tag, options, place, reason};
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

use super::exact_value::ExactValue;
use super::limits::YAML_DEPTH_MAX;
use super::text_position::{Fault, TextPosition};
use super::yaml_digits;

const REMEDIES: Remedies = Remedies {
    merge_keys: "write the members out",
    documents: "write one file each",
    infinities: ", as JSON's are; write null in its place",
    excess: "write it as JSON",
};

/// Reads the one document of a text; nothing at all is null.
pub(super) fn read(text: &str, max_bytes: usize) -> Result<ExactValue, Fault> {
    let options = options(max_bytes, YAML_DEPTH_MAX as usize);
    let mut tree: ExactValue = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let place = place(error, text).and_then(|(line, column)| place_of(text, line, column));
        let mut message = format!("invalid YAML: {}", reason(error, &REMEDIES));
        if let (true, Some(line)) = (is_of_documents(error), second_document(text)) {
            message += &format!("; document 2 begins on line {line}");
        }
        Fault { place, record: None, message }
    })?;
    match foreign_tag(text) {
        Some(ForeignTag { line, column, message }) => {
            Err(Fault { place: place_of(text, line, column), record: None, message })
        }
        None => {
            yaml_digits::restore(&mut tree, text)?;
            if ends_without_break(text) {
                tree.take_last_break();
            }
            Ok(tree)
        }
    }
}

fn is_of_documents(error: &Error) -> bool {
    matches!(
        error,
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. }
    )
}

/// The line, from 1, on which the second document begins. No line of content may begin with a marker of documents
/// (YAML 1.2.2, 9.1.2), so that they can be told without reading the rest.
fn second_document(text: &str) -> Option<usize> {
    let is_marker = |line: &str, marker| {
        line.strip_prefix(marker)
            .is_some_and(|rest: &str| rest.is_empty() || rest.starts_with([' ', '\t', '\r']))
    };
    let (mut has_begun, mut has_ended) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let is_start = is_marker(line, "---");
        let is_content = !line.trim_start().is_empty() && !line.trim_start().starts_with(['#', '%']);
        if has_begun && (is_start || has_ended && is_content) {
            return Some(index + 1);
        }
        has_ended |= is_marker(line, "...");
        has_begun |= is_start || is_content;
    }
    None
}

/// Writes a document. Members keep their order, numbers their digits; texts that look like something else are
/// quoted. Errs where a number is infinite as a double, and where nesting is too deep.
pub(super) fn write(tree: &mut ExactValue) -> Result<String, Fault> {
    if tree.depth() > YAML_DEPTH_MAX {
        let message = format!(
            "nested more than {YAML_DEPTH_MAX} deep, which YAML is not written; flatten it, or write JSON"
        );
        return Err(Fault::of_input(message));
    }
    if let Some((pointer, digits)) = tree.infinite_number() {
        let at = if pointer.is_empty() { String::new() } else { format!("at {pointer}: ") };
        let message = format!(
            "{at}the number {digits} is too large for a double, which YAML's numbers are to its readers; write it as a text in quotes"
        );
        return Err(Fault::of_input(message));
    }
    let yaml = serde_saphyr::to_string(tree)
        .map_err(|error| Fault::of_input(format!("can't be written as YAML: {error}; write JSON")))?;
    Ok(yaml_digits::spell_out(yaml, tree))
}

/// The byte at a line and a column of characters, both from 1.
fn place_of(text: &str, line: u64, column: u64) -> Option<TextPosition> {
    let (line_index, column_index) = (line.checked_sub(1)?, column.saturating_sub(1));
    let start = match line_index {
        0 => 0,
        _ => text.match_indices('\n').nth(line_index as usize - 1)?.0 + 1,
    };
    let bytes: usize = text[start..].chars().take(column_index as usize).map(char::len_utf8).sum();
    Some(TextPosition { offset: (start + bytes) as u64, line, column: bytes as u64 + 1 })
}

impl<'de> Deserialize<'de> for ExactValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Build)
    }
}

struct Build;

impl<'de> Visitor<'de> for Build {
    type Value = ExactValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has too")
    }

    fn visit_unit<E>(self) -> Result<ExactValue, E> {
        Ok(ExactValue::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<ExactValue, E> {
        self.visit_unit()
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<ExactValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<ExactValue, E> {
        Ok(ExactValue::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<ExactValue, E> {
        Ok(ExactValue::Number(number.to_string().into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<ExactValue, E> {
        Ok(ExactValue::Number(number.to_string().into()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<ExactValue, E> {
        Ok(ExactValue::Number(number.to_string().into()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<ExactValue, E> {
        Ok(ExactValue::Number(number.to_string().into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<ExactValue, E> {
        let number =
            serde_json::Number::from_f64(number).ok_or_else(|| E::custom("numbers must be finite"))?;
        Ok(ExactValue::Number(number.to_string().into()))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ExactValue, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<ExactValue, E> {
        Ok(ExactValue::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ExactValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(ExactValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExactValue, A::Error> {
        let mut members: Vec<(String, ExactValue)> = Vec::new();
        let mut seen = HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, _>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!(
                    "the key {key:?} stands twice in one mapping; remove one"
                )));
            }
            members.push((key, value));
        }
        Ok(ExactValue::Object(members))
    }
}

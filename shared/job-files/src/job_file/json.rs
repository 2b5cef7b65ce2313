//! JSON with lines, in which a key may stand but once.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::lined_value::{Data, LinedValue};
use super::problem::Problem;

/// How deeply lists and objects may be nested: a job needs 8.
pub(super) const DEPTH_MAX: usize = 24;

/// Where the first value of a text ends, if there is more behind it.
pub(super) fn more_after_first(text: &str) -> Result<Option<usize>, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    if let Some(first) = values.next() {
        first?;
    }
    let end = values.byte_offset();
    Ok((!text[end..].trim_ascii().is_empty()).then_some(end))
}

/// Parses one value whose text begins on `line`.
pub(super) fn parse(text: &str, line: u64) -> Result<LinedValue, Problem> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| syntax(&error, line))?;
    let lines = Lines::new(text, line);
    lines.node(raw, 0)
}

/// A syntax error of a text that begins on `line`.
pub(super) fn syntax(error: &serde_json::Error, line: u64) -> Problem {
    let at = line + (error.line().max(1) as u64 - 1);
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    Problem::at_line(at, format!("invalid JSON at column {}: {reason}", error.column()))
}

/// Tells the line of any part of a text by where it lies in memory.
struct Lines {
    start: usize,
    first: u64,
    ends: Vec<usize>,
}

impl Lines {
    fn new(text: &str, first: u64) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        Self { start: text.as_ptr() as usize, first, ends }
    }

    fn of(&self, part: &str) -> u64 {
        let offset = part.as_ptr() as usize - self.start;
        self.first + self.ends.partition_point(|&end| end < offset) as u64
    }

    fn node(&self, raw: &RawValue, depth: usize) -> Result<LinedValue, Problem> {
        let text = raw.get();
        let line = self.of(text);
        let wrong = |error: serde_json::Error| syntax(&error, line);
        if depth > DEPTH_MAX {
            return Err(Problem::at_line(line, format!("nested more than {DEPTH_MAX} deep")));
        }
        let data = match text.as_bytes()[0] {
            b'n' => Data::Null,
            b't' => Data::Bool(true),
            b'f' => Data::Bool(false),
            b'"' => Data::Text(serde_json::from_str(text).map_err(wrong)?),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
                let items = items.into_iter().map(|item| self.node(item, depth + 1));
                Data::List(items.collect::<Result<_, _>>()?)
            }
            b'{' => {
                let Members(raw) = serde_json::from_str(text).map_err(wrong)?;
                let mut seen = HashSet::new();
                let mut members = Vec::with_capacity(raw.len());
                for (key, value) in &raw {
                    if !seen.insert(key.as_str()) {
                        let message = format!("the key {key:?} stands twice in one object; remove one");
                        return Err(Problem::at_line(self.of(value.get()), message));
                    }
                    members.push((key.clone(), self.node(value, depth + 1)?));
                }
                Data::Object(members)
            }
            _ => Data::Number(serde_json::from_str(text).map_err(wrong)?),
        };
        Ok(LinedValue::new(Some(line), data))
    }
}

/// The members of an object, also those whose key has come before.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_knows_its_line() {
        let text = "{\n  \"a\": [1,\n    {\"b\": \"x\"}],\n  \"c\":\n    null}";
        let node = parse(text, 10).unwrap();
        assert_eq!(node.line, Some(10));
        let list = node.get("a").unwrap();
        assert_eq!((list.line, list.items()[0].line, list.items()[1].line), (Some(11), Some(11), Some(12)));
        assert_eq!(node.get("c").unwrap().line, Some(14));
        assert_eq!(node.to_json(), serde_json::from_str::<serde_json::Value>(text).unwrap());
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(parse(&deep, 1).unwrap_err().to_string(), "line 1: nested more than 24 deep");
    }
}

//! A JSON value with the exact digits of its numbers.

use std::collections::HashSet;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::scanner::{Scanner, Signal};
use super::text_position::{Fault, TextPosition};

/// A value. Members stand in their order, also those whose key has come before.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ExactValue {
    Null,
    Bool(bool),
    /// As it was written.
    Number(Box<str>),
    Text(String),
    List(Vec<ExactValue>),
    Object(Vec<(String, ExactValue)>),
}

/// A key that has come before in its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Duplicate {
    pub(super) place: TextPosition,
    pub(super) key: String,
    /// The object's JSON Pointer.
    pub(super) pointer: String,
}

impl Duplicate {
    pub(super) fn message(&self) -> String {
        format!("the key {:?} stands twice in the object; remove one", self.key)
    }
}

/// Parses one value whose text begins at a place, with the keys that stand twice.
pub(super) fn parse(text: &[u8], start: TextPosition) -> Result<(ExactValue, Vec<Duplicate>), Fault> {
    let mut scanner = Scanner::new(start);
    let mut builder = Builder { open: Vec::new(), done: None, duplicates: Vec::new() };
    let mut at = 0;
    let mut begun = (0, start);
    while at < text.len() {
        let (taken, signal) = scanner.advance(&text[at..], u32::MAX)?;
        at += taken;
        match signal {
            Signal::None => {}
            Signal::Begin | Signal::KeyBegin => {
                begun = (at - 1, back(scanner.place()));
                match text[at - 1] {
                    b'[' => builder.open.push(Open {
                        value: ExactValue::List(Vec::new()),
                        key: None,
                        keys: HashSet::new(),
                    }),
                    b'{' => builder.open.push(Open {
                        value: ExactValue::Object(Vec::new()),
                        key: None,
                        keys: HashSet::new(),
                    }),
                    _ => {}
                }
            }
            Signal::KeyEnd => builder.key(decode(&text[begun.0..at], begun.1)?, begun.1),
            Signal::End if taken > 0 && matches!(text[at - 1], b']' | b'}') => builder.close(),
            Signal::End => builder.add(scalar(&text[begun.0..at], begun.1)?),
        }
    }
    if scanner.finish()? {
        builder.add(scalar(&text[begun.0..], begun.1)?);
    }
    let tree = builder.done.ok_or_else(|| Fault::at(start, "there is no value"))?;
    Ok((tree, builder.duplicates))
}

/// Parses one value. Errs where a key stands twice.
pub(super) fn parse_unique(text: &[u8], start: TextPosition) -> Result<ExactValue, Fault> {
    let (tree, duplicates) = parse(text, start)?;
    match duplicates.first() {
        None => Ok(tree),
        Some(duplicate) => Err(Fault::at(duplicate.place, duplicate.message())),
    }
}

fn back(next: TextPosition) -> TextPosition {
    TextPosition { offset: next.offset - 1, line: next.line, column: next.column - 1 }
}

/// Containers that are open.
struct Builder {
    open: Vec<Open>,
    done: Option<ExactValue>,
    duplicates: Vec<Duplicate>,
}

struct Open {
    value: ExactValue,
    key: Option<String>,
    keys: HashSet<String>,
}

impl Builder {
    fn key(&mut self, key: String, place: TextPosition) {
        let Some(open) = self.open.last_mut() else { return };
        if !open.keys.insert(key.clone()) {
            let pointer = self.pointer();
            self.duplicates.push(Duplicate { place, key: key.clone(), pointer });
        }
        if let Some(open) = self.open.last_mut() {
            open.key = Some(key);
        }
    }

    fn add(&mut self, value: ExactValue) {
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some(Open { value: ExactValue::Object(members), key, .. }) => {
                members.push((key.take().unwrap_or_default(), value));
            }
            Some(Open { value: ExactValue::List(items), .. }) => items.push(value),
            Some(_) => {}
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.add(open.value);
        }
    }

    /// The innermost container's.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for open in self.open.iter().take(self.open.len().saturating_sub(1)) {
            match &open.value {
                ExactValue::List(items) => push_step(&mut pointer, &items.len().to_string()),
                _ => push_step(&mut pointer, open.key.as_deref().unwrap_or_default()),
            }
        }
        pointer
    }
}

/// Appends a step of a JSON Pointer. RFC 6901.
pub(super) fn push_step(pointer: &mut String, step: &str) {
    pointer.push('/');
    pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
}

fn scalar(text: &[u8], place: TextPosition) -> Result<ExactValue, Fault> {
    Ok(match text.first() {
        Some(b'n') => ExactValue::Null,
        Some(b't') => ExactValue::Bool(true),
        Some(b'f') => ExactValue::Bool(false),
        Some(b'"') => ExactValue::Text(decode(text, place)?),
        _ => ExactValue::Number(String::from_utf8_lossy(text).trim_ascii_end().into()),
    })
}

fn decode(text: &[u8], place: TextPosition) -> Result<String, Fault> {
    serde_json::from_slice(text).map_err(|_| {
        Fault::at(
            place,
            "half a surrogate pair (\\ud800 to \\udfff) stands in the text; write the character itself",
        )
    })
}

impl ExactValue {
    /// Takes the line break from the end of the last value, where that is a text which ends in one.
    pub(super) fn take_last_break(&mut self) {
        match self {
            Self::Text(text) if text.ends_with('\n') => {
                text.pop();
            }
            Self::List(items) => items.last_mut().into_iter().for_each(Self::take_last_break),
            Self::Object(members) => {
                members.last_mut().into_iter().for_each(|(_, value)| value.take_last_break());
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {}
        }
    }

    /// A member's value; of several the last.
    pub(super) fn get(&self, name: &str) -> Option<&ExactValue> {
        match self {
            Self::Object(members) => {
                members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_list(&self) -> Option<&[ExactValue]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// Levels of containers.
    pub(super) fn depth(&self) -> u32 {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Visits the scalars in their order, and `None` for each key.
    pub(super) fn each_scalar(&mut self, visit: &mut impl FnMut(Option<&mut Self>)) {
        match self {
            Self::List(items) => items.iter_mut().for_each(|item| item.each_scalar(visit)),
            Self::Object(members) => members.iter_mut().for_each(|(_, value)| {
                visit(None);
                value.each_scalar(visit);
            }),
            scalar => visit(Some(scalar)),
        }
    }

    /// The first number that is infinite as a double, and its JSON Pointer.
    pub(super) fn infinite_number(&self) -> Option<(String, &str)> {
        let (step, (pointer, digits)) = match self {
            Self::Number(digits) => {
                return digits.parse::<f64>().is_ok_and(f64::is_infinite).then_some((String::new(), digits));
            }
            Self::List(items) => items
                .iter()
                .enumerate()
                .find_map(|(index, item)| Some((index.to_string(), item.infinite_number()?)))?,
            Self::Object(members) => {
                members.iter().find_map(|(key, value)| Some((key.clone(), value.infinite_number()?)))?
            }
            _ => return None,
        };
        let mut whole = String::new();
        push_step(&mut whole, &step);
        Some((whole + &pointer, digits))
    }

    /// A number's nearest double.
    pub(super) fn as_f64(&self) -> Option<f64> {
        if let Self::Number(digits) = self { digits.parse().ok() } else { None }
    }

    /// As serde_json has it: fractions become doubles. Errs where a number is too large for one.
    pub(super) fn to_value(&self) -> Result<Value, Fault> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Number(digits) => Value::Number(serde_json::from_str(digits).map_err(|_| {
                Fault::of_input(format!("the number {digits} is too large for a double; read it as raw JSON"))
            })?),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => Value::Array(items.iter().map(Self::to_value).collect::<Result<_, _>>()?),
            Self::Object(members) => {
                let members = members.iter().map(|(key, value)| Ok((key.clone(), value.to_value()?)));
                Value::Object(members.collect::<Result<_, Fault>>()?)
            }
        })
    }

    /// Appends the value's JSON text.
    pub(super) fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => push_quoted(text, out),
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    out.push(if index == 0 { '[' } else { ',' });
                    item.write_json(out);
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Self::Object(members) => {
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    push_quoted(key, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
    }
}

fn push_quoted(text: &str, out: &mut String) {
    out.push_str(&Value::from(text).to_string());
}

impl Serialize for ExactValue {
    /// For YAML: whole numbers as such, others as doubles, whose digits are put right in the text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Number(digits) => {
                match (digits.parse::<i64>(), digits.parse::<u64>(), digits.parse::<f64>()) {
                    (Ok(number), _, _) if number != 0 || &**digits == "0" => serializer.serialize_i64(number),
                    (_, Ok(number), _) => serializer.serialize_u64(number),
                    (_, _, Ok(number)) => serializer.serialize_f64(number),
                    _ => Err(serde::ser::Error::custom(format!("{digits} is no number"))),
                }
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members.iter().map(|(key, value)| (key, value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_the_value_that_serde_json_reads() {
        for text in [
            "null",
            " [1, -2.50, 1e3, \"a\\u00e9\\ud83d\\ude00\", true, false, {}, []] ",
            "{\"a\": {\"b/c\": [[1], {\"d\": null}]}, \"e\": 12}",
            "7",
            "-0",
        ] {
            let tree = parse_unique(text.as_bytes(), TextPosition::START).unwrap();
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(tree.to_value().unwrap(), value, "{text}");
            let mut json = String::new();
            tree.write_json(&mut json);
            assert_eq!(parse_unique(json.as_bytes(), TextPosition::START).unwrap(), tree, "{json}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_told_with_its_place_and_its_objects_pointer() {
        let text = "{\"a/b\": [0,\n {\"k\": 1, \"x\": 2, \"\\u006b\": 3}]}";
        let (tree, duplicates) = parse(text.as_bytes(), TextPosition::START).unwrap();
        let place = TextPosition { offset: 30, line: 2, column: 19 };
        assert_eq!(duplicates, [Duplicate { place, key: "k".into(), pointer: "/a~1b/1".into() }]);
        assert_eq!(tree.get("a/b").unwrap().as_list().unwrap()[1].get("k").unwrap().as_f64(), Some(3.0));
        let error = parse_unique(text.as_bytes(), TextPosition::START).unwrap_err().to_string();
        assert_eq!(
            error,
            "line 2, column 19 (byte 30): the key \"k\" stands twice in the object; remove one"
        );
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        let error = parse(br#"{"a": "\ud800"}"#, TextPosition::START).unwrap_err().to_string();
        assert!(error.starts_with("line 1, column 7 (byte 6): half a surrogate pair"), "{error}");
    }
}

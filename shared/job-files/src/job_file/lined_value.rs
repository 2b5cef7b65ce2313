//! A parsed value of which every part knows its line.

use serde_json::{Number, Value};

/// A value and the line it begins on; `None` where it did not come from a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LinedValue {
    pub(super) line: Option<u64>,
    pub(super) data: Data,
}

/// What JSON and YAML have in common. An object keeps its order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<LinedValue>),
    Object(Vec<(String, LinedValue)>),
}

impl LinedValue {
    pub(super) fn new(line: Option<u64>, data: Data) -> Self {
        Self { line, data }
    }

    /// The member of an object.
    pub(super) fn get(&self, key: &str) -> Option<&LinedValue> {
        self.members().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The members of an object; none where it is no object.
    pub(super) fn members(&self) -> &[(String, LinedValue)] {
        match &self.data {
            Data::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of a list; none where it is no list.
    pub(super) fn items(&self) -> &[LinedValue] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.data, Data::Object(_))
    }

    /// The text of a member.
    pub(super) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(LinedValue::text)
    }

    /// Takes a member out of an object.
    pub(super) fn take(&mut self, key: &str) -> Option<LinedValue> {
        let Data::Object(members) = &mut self.data else { return None };
        let at = members.iter().position(|(name, _)| name == key)?;
        Some(members.remove(at).1)
    }

    /// Puts a member into an object, in place of one of the same name.
    pub(super) fn put(&mut self, key: &str, node: LinedValue) {
        let Data::Object(members) = &mut self.data else { return };
        match members.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = node,
            None => members.push((key.to_owned(), node)),
        }
    }

    /// Takes the line break from the end of the last value, where that is a text which ends in one.
    pub(super) fn take_last_break(&mut self) {
        match &mut self.data {
            Data::Text(text) if text.ends_with('\n') => {
                text.pop();
            }
            Data::List(items) => items.last_mut().into_iter().for_each(Self::take_last_break),
            Data::Object(members) => {
                members.last_mut().into_iter().for_each(|(_, value)| value.take_last_break());
            }
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => {}
        }
    }

    /// As in "a number".
    pub(super) fn kind(&self) -> &'static str {
        match self.data {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::Text(_) => "a string",
            Data::List(_) => "a list",
            Data::Object(_) => "an object",
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(flag) => Value::Bool(*flag),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => items.iter().map(LinedValue::to_json).collect(),
            Data::Object(members) => {
                members.iter().map(|(key, node)| (key.clone(), node.to_json())).collect()
            }
        }
    }
}

impl From<Value> for LinedValue {
    fn from(value: Value) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(flag) => Data::Bool(flag),
            Value::Number(number) => Data::Number(number),
            Value::String(text) => Data::Text(text),
            Value::Array(items) => Data::List(items.into_iter().map(LinedValue::from).collect()),
            Value::Object(members) => {
                Data::Object(members.into_iter().map(|(key, value)| (key, LinedValue::from(value))).collect())
            }
        };
        Self::new(None, data)
    }
}

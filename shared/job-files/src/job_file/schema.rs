//! The language in which the fields of a job file are described, and the check against it.

use super::lined_value::{Data, LinedValue};
use super::nearest;
use super::problem::Problem;

/// A field of an object.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// A field that may be left out.
pub(super) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

/// A field that must be given.
pub(super) const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

/// A rule of a text.
pub(super) struct TextRule {
    /// What is wrong with it.
    pub(super) check: fn(&str) -> Result<(), String>,
    /// The same as a regular expression of JSON Schema; none where any text but an empty one will do.
    #[cfg_attr(not(feature = "schema"), expect(dead_code, reason = "for the JSON Schema alone"))]
    pub(super) pattern: Option<&'static str>,
}

/// A rule that looks at several fields or items at once.
pub(super) type Rule = fn(&LinedValue, &mut Check);

/// What a field may hold.
pub(super) enum Kind {
    /// A string that is not empty.
    Text(TextRule),
    /// A string, perhaps empty.
    AnyText,
    Flag,
    /// A whole number, both bounds included.
    Whole(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of at most so many.
    List(&'static Kind, usize, Rule),
    /// Strings by string.
    Map(Rule),
    Object(&'static Object),
    /// A string that is not empty, or an object.
    TextOrObject(TextRule, &'static Object),
    /// Whatever AWS takes: kept as it is, because nothing here reads it.
    Anything,
}

/// The fields of an object and what must hold between them.
pub(super) struct Object {
    pub(super) fields: &'static [Field],
    pub(super) rule: Rule,
}

/// No rule.
pub(super) fn anything(_: &LinedValue, _: &mut Check) {}

/// Collects the problems of one value, each with its path.
#[derive(Default)]
pub(super) struct Check {
    path: String,
    pub(super) problems: Vec<Problem>,
}

impl Check {
    /// A check of what lies at a path.
    pub(super) fn at(path: &str) -> Self {
        Self { path: path.to_owned(), problems: Vec::new() }
    }

    /// Says what is wrong with the value that is looked at.
    pub(super) fn problem(&mut self, node: &LinedValue, message: impl Into<String>) {
        let field = Some(self.path.clone()).filter(|path| !path.is_empty());
        self.problems.push(Problem { line: node.line, field, message: message.into() });
    }

    /// Looks at the member of an object.
    pub(super) fn member(&mut self, key: &str, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        // What stands behind a '=' is a value in the wrong place, and may be a secret: paths go into reports and logs.
        match key.split_once('=') {
            Some((name, _)) => self.path.extend([name, "=…"]),
            None => self.path.push_str(key),
        }
        look(self);
        self.path.truncate(length);
    }

    /// Looks at the item of a list.
    pub(super) fn item(&mut self, index: usize, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(&format!("[{index}]"));
        look(self);
        self.path.truncate(length);
    }

    /// Checks an object: its fields, and then what must hold between them.
    pub(super) fn object(&mut self, node: &LinedValue, object: &Object) {
        self.fields(node, object.fields, true);
        (object.rule)(node, self);
    }

    /// Checks the fields of an object alone; `complete` asks for those that are required.
    pub(super) fn fields(&mut self, node: &LinedValue, fields: &'static [Field], complete: bool) {
        // A key that is like none of a variable's fields may be what was to be its value.
        let hides = std::ptr::eq(fields, super::job_schema::VARIABLE.fields);
        if !node.is_object() {
            return self.problem(node, format!("must be an object, not {}", node.kind()));
        }
        let mut meant = Vec::new();
        for (key, value) in node.members() {
            let is_known = fields.iter().any(|field| field.name == key);
            if hides && !is_known && nearest(key, fields.iter().map(|field| field.name)).is_none() {
                let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
                self.problem(value, format!("has an unknown field; the known ones are {}", known.join(", ")));
                continue;
            }
            self.member(key, |check| match fields.iter().find(|field| field.name == key) {
                Some(field) => check.value(value, &field.kind),
                None => {
                    let near = nearest(key, fields.iter().map(|field| field.name));
                    meant.extend(near);
                    check.problem(value, unknown(near));
                }
            });
        }
        let missing = |field: &&Field| field.required && node.get(field.name).is_none();
        for field in fields.iter().filter(|field| complete && missing(field) && !meant.contains(&field.name))
        {
            self.member(field.name, |check| check.problem(node, "is missing; it is required"));
        }
    }

    fn value(&mut self, node: &LinedValue, kind: &Kind) {
        match (kind, &node.data) {
            (Kind::Anything, _) => {}
            (_, Data::Null) => self.problem(node, "is null; give it a value"),
            (Kind::Text(_) | Kind::TextOrObject(..), Data::Text(text)) if text.is_empty() => {
                self.problem(node, "is empty; give it a value");
            }
            (Kind::Text(rule) | Kind::TextOrObject(rule, _), Data::Text(text)) => {
                if let Err(message) = (rule.check)(text) {
                    self.problem(node, message);
                }
            }
            (Kind::AnyText, Data::Text(_)) | (Kind::Flag, Data::Bool(_)) => {}
            (Kind::Whole(least, most), Data::Number(number)) => {
                if !number.as_i64().is_some_and(|value| (*least..=*most).contains(&value)) {
                    self.problem(node, format!("must be {}, not {number}", range(*least, *most)));
                }
            }
            (Kind::OneOf(words), Data::Text(text)) => {
                if !words.contains(&text.as_str()) {
                    self.problem(node, format!("must be {}, not {text:?}", one_of(words)));
                }
            }
            (Kind::List(item, most, rule), Data::List(items)) => {
                if items.len() > *most {
                    self.problem(node, format!("has {} entries, at most {most} are allowed", items.len()));
                }
                for (index, entry) in items.iter().enumerate() {
                    self.item(index, |check| check.value(entry, item));
                }
                rule(node, self);
            }
            (Kind::Map(rule), Data::Object(members)) => {
                for (key, value) in members {
                    self.member(key, |check| check.value(value, &Kind::AnyText));
                }
                rule(node, self);
            }
            (Kind::Object(object) | Kind::TextOrObject(_, object), Data::Object(_)) => {
                self.object(node, object);
            }
            _ => self.problem(node, wrong_kind(kind, node)),
        }
    }
}

fn unknown(near: Option<&str>) -> String {
    match near {
        Some(name) => format!("unknown field; the nearest known one is {name:?}"),
        None => "unknown field, and no known one is near; remove it".to_owned(),
    }
}

fn range(least: i64, most: i64) -> String {
    match most {
        i64::MAX => format!("a whole number, at least {least}"),
        _ => format!("a whole number from {least} to {most}"),
    }
}

fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

/// Fields that are told where something else stands in the place of their object.
const FIELDS_TOLD: usize = 8;

fn not_an_object(object: &Object, node: &LinedValue) -> String {
    let kind = node.kind();
    let fields: Vec<&str> = object.fields.iter().map(|field| field.name).collect();
    if fields.len() > FIELDS_TOLD {
        return format!("must be an object, not {kind}");
    }
    format!("must be an object, not {kind}; its fields are {}", fields.join(", "))
}

fn wrong_kind(kind: &Kind, node: &LinedValue) -> String {
    let (expected, remedy) = match (kind, &node.data) {
        (Kind::Text(_) | Kind::AnyText, Data::Number(_) | Data::Bool(_)) => {
            ("a string".to_owned(), "; put it in quotes")
        }
        (Kind::Text(_) | Kind::AnyText, _) => ("a string".to_owned(), ""),
        (Kind::OneOf(words), _) => (one_of(words), ""),
        (Kind::Flag, _) => ("true or false".to_owned(), ""),
        (Kind::Whole(least, most), Data::Text(_)) => (range(*least, *most), "; leave the quotes out"),
        (Kind::Whole(least, most), _) => (range(*least, *most), ""),
        (Kind::List(Kind::AnyText | Kind::Text(_), ..), Data::Text(_)) => {
            ("a list of strings".to_owned(), "; for a line of shell write [\"sh\", \"-c\", \"…\"]")
        }
        (Kind::List(..), _) => ("a list".to_owned(), ""),
        (Kind::Map(_), _) => ("an object of strings".to_owned(), ""),
        (Kind::Object(object), _) => return not_an_object(object, node),
        (Kind::TextOrObject(..), _) => ("a string or an object".to_owned(), ""),
        (Kind::Anything, _) => ("anything".to_owned(), ""),
    };
    format!("must be {expected}, not {}{remedy}", node.kind())
}

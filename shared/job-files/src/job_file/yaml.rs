//! YAML with lines, within a budget, without what makes it dangerous.

use std::collections::HashSet;
use std::fmt;

use batchwright_yaml::{ForeignTag, Remedies, ends_without_break, foreign_tag, options, place, reason};
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::Spanned;

use super::json::DEPTH_MAX;
use super::lined_value::{Data, LinedValue};
use super::problem::Problem;
use crate::domain::limits::WHOLE_FILE_MAX_BYTES;

const REMEDIES: Remedies = Remedies {
    merge_keys: "put what the jobs share under defaults",
    documents: "put all jobs into one list",
    infinities: "; put it in quotes where it is meant as text",
    excess: "write it as JSON Lines",
};

/// Parses the one document of a text.
pub(super) fn parse(text: &str) -> Result<LinedValue, Problem> {
    let options = options(WHOLE_FILE_MAX_BYTES, DEPTH_MAX);
    let tree: Spanned<Tree> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let line = place(error, text).map(|(line, _)| line);
        let message = format!("invalid YAML: {}", reason(error, &REMEDIES));
        Problem { line, field: None, message }
    })?;
    match foreign_tag(text) {
        Some(ForeignTag { line, message, .. }) => Err(Problem::at_line(line, message)),
        None => {
            let mut root = node(tree);
            if ends_without_break(text) {
                root.take_last_break();
            }
            Ok(root)
        }
    }
}

fn node(tree: Spanned<Tree>) -> LinedValue {
    let line = Some(tree.referenced.line()).filter(|&line| line > 0);
    let data = match tree.value {
        Tree::Leaf(data) => data,
        Tree::List(items) => Data::List(items.into_iter().map(node).collect()),
        Tree::Object(members) => {
            Data::Object(members.into_iter().map(|(key, value)| (key, node(value))).collect())
        }
    };
    LinedValue::new(line, data)
}

enum Tree {
    Leaf(Data),
    List(Vec<Spanned<Tree>>),
    Object(Vec<(String, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Build)
    }
}

struct Build;

impl<'de> Visitor<'de> for Build {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has too")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Data::Null))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Tree, E> {
        self.visit_unit()
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(Data::Bool(flag)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Data::Number(number.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(Data::Number(number.into())))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Tree, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("numbers must be finite"))?;
        Ok(Tree::Leaf(Data::Number(number)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Tree, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<Tree, E> {
        Ok(Tree::Leaf(Data::Text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members: Vec<(String, Spanned<Tree>)> = Vec::new();
        let mut seen = HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, _>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!(
                    "the key {key:?} stands twice in one mapping; remove one"
                )));
            }
            members.push((key, value));
        }
        Ok(Tree::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_knows_its_line() {
        let node = parse("# a job\na: [1, x]\nb:\n  c: true\n  d: ~\n").unwrap();
        assert_eq!(node.get("a").unwrap().items()[1].line, Some(2));
        assert_eq!(node.get("b").unwrap().get("c").unwrap().line, Some(4));
        assert_eq!(node.to_json(), serde_json::json!({"a": [1, "x"], "b": {"c": true, "d": null}}));
    }

    #[test]
    fn what_only_looks_like_a_boolean_or_a_number_is_text() {
        let node = parse("{a: yes, b: off, c: 0755, d: 1_000, e: 1.5, f: \"1\", g: -3}").unwrap();
        let expected = serde_json::json!({"a": "yes", "b": "off", "c": "0755", "d": "1_000", "e": 1.5, "f": "1", "g": -3});
        assert_eq!(node.to_json(), expected);
    }

    #[test]
    fn a_text_block_at_the_end_has_the_line_breaks_that_it_has_in_the_file() {
        for (text, value) in [("a: |\n  x\n  y", "x\ny"), ("a: |\n  x\n  y\n", "x\ny\n"), ("a: |-\n  x", "x")]
        {
            assert_eq!(parse(text).unwrap().text_of("a"), Some(value), "{text:?}");
        }
    }

    #[test]
    fn an_alias_repeats_what_its_anchor_marks() {
        let node = parse("a: &q [x, y]\nb: *q\n").unwrap();
        assert_eq!(node.to_json(), serde_json::json!({"a": ["x", "y"], "b": ["x", "y"]}));
    }
}

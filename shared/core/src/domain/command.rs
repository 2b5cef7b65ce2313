//! A job's command and environment: the definition's, with the job's own on top.

use std::collections::BTreeMap;

use super::spec::KeyValuePair;

/// What stands before a parameter's name in a command.
pub(super) const PLACEHOLDER: &str = "Ref::";

/// Puts parameters in the place of `Ref::name`. One whose name is not known stays as it is.
pub fn substitute(command: &[String], parameters: &BTreeMap<String, String>) -> Vec<String> {
    command.iter().map(|argument| fill(argument, parameters)).collect()
}

fn fill(argument: &str, parameters: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(argument.len());
    let mut rest = argument;
    while let Some(at) = rest.find(PLACEHOLDER) {
        let (before, after) = (&rest[..at], &rest[at + PLACEHOLDER.len()..]);
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
        let (name, tail) = after.split_at(end.unwrap_or(after.len()));
        filled.push_str(before);
        match parameters.get(name) {
            Some(value) => filled.push_str(value),
            None => filled.extend([PLACEHOLDER, name]),
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

/// The base with the entries of `top` replaced or added. Entries without a name are left out.
pub fn overlay(base: &[KeyValuePair], top: &[KeyValuePair]) -> Vec<KeyValuePair> {
    let mut merged: Vec<KeyValuePair> = Vec::new();
    for pair in base.iter().chain(top).filter(|pair| pair.name.is_some()) {
        match merged.iter_mut().find(|known| known.name == pair.name) {
            Some(known) => known.value.clone_from(&pair.value),
            None => merged.push(pair.clone()),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> KeyValuePair {
        KeyValuePair { name: Some(name.into()), value: Some(value.into()) }
    }

    #[test]
    fn parameters_take_the_place_of_their_names() {
        let parameters = BTreeMap::from([("in".into(), "a b".into()), ("in-2".into(), "Ref::in".into())]);
        for (argument, expected) in [
            ("Ref::in", "a b"),
            ("--in=Ref::in.tif", "--in=a b.tif"),
            ("Ref::in-2", "Ref::in"),
            ("Ref::in:Ref::in", "a b:a b"),
            ("Ref::other", "Ref::other"),
            ("Ref::", "Ref::"),
            ("plain", "plain"),
        ] {
            assert_eq!(substitute(&[argument.to_owned()], &parameters), [expected], "{argument}");
        }
    }

    #[test]
    fn the_jobs_environment_lies_over_the_definitions() {
        let nameless = KeyValuePair { name: None, value: Some("x".into()) };
        let merged = overlay(&[pair("A", "1"), pair("B", "2")], &[pair("B", "3"), nameless, pair("C", "4")]);
        assert_eq!(merged, [pair("A", "1"), pair("B", "3"), pair("C", "4")]);
    }
}

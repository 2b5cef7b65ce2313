//! How job files and documents read YAML: within a budget, because a few aliases can stand for gigabytes, and with
//! refusals in our words.

use std::collections::HashSet;

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Error, Options};

/// Values in one document, those that aliases repeat among them.
const NODES_MAX: usize = 4_000_000;

/// Aliases in one document.
const ALIASES_MAX: usize = 10_000;

/// Values that aliases may repeat in all.
const REPLAYED_MAX: usize = 200_000;

/// What the reader's messages advise instead of what is not read.
pub struct Remedies {
    /// Instead of merge keys.
    pub merge_keys: &'static str,
    /// Instead of several documents.
    pub documents: &'static str,
    /// Instead of numbers that JSON does not have.
    pub infinities: &'static str,
    /// Instead of a document over its budget.
    pub excess: &'static str,
}

/// Returns the options for one document of YAML 1.2 within these bounds.
pub fn options(max_bytes: usize, depth_max: usize) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(max_bytes),
            max_events: 2 * NODES_MAX,
            max_nodes: NODES_MAX,
            max_aliases: ALIASES_MAX,
            max_anchors: ALIASES_MAX,
            max_depth: depth_max,
            max_documents: 1,
            max_total_scalar_bytes: 2 * max_bytes,
            max_merge_keys: 0,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: REPLAYED_MAX,
            max_replay_stack_depth: depth_max,
            max_alias_expansions_per_anchor: ALIASES_MAX,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    }
}

/// Returns why a document is refused: in our words if we know the remedy, else in the parser's, without the place.
pub fn reason(error: &Error, remedies: &Remedies) -> String {
    match error {
        Error::AliasError { error, .. } => reason(error, remedies),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {key:?} stands twice in one mapping; remove one")
        }
        Error::MergeKeyNotAllowed { .. } => {
            format!("merge keys (<<) are not read; {}", remedies.merge_keys)
        }
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. } => {
            format!("more than one document; {}", remedies.documents)
        }
        Error::NonFiniteFloat { value, .. } if value.contains(|c: char| c.is_ascii_digit()) => {
            format!("the number {value} is too large for a double; write it in quotes, as a text")
        }
        Error::NonFiniteFloat { .. } => format!("a number must be finite{}", remedies.infinities),
        Error::NullIntoString { .. } => "a key is null or missing; write it in quotes, as in \"null\"".to_owned(),
        Error::Unexpected { expected, .. } if expected.contains("string") => {
            "a key is a list or a mapping, which JSON's keys can't be; write a text".to_owned()
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an alias (*) stands within what it repeats, which would never end; write the value out".to_owned()
        }
        Error::UnknownAnchor { .. } => {
            "the alias (*) repeats nothing, because no anchor (&) of its name stands before it; write the value, or put a text in quotes".to_owned()
        }
        Error::InvalidScalar { .. } | Error::InvalidBooleanStrict { .. } => {
            "the value is not of the type that its tag says; correct one of them".to_owned()
        }
        Error::ExternalMessage { msg, .. } if msg.contains("recursion limit exceeded") => {
            format!("it is nested too deep; {}", remedies.excess)
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            format!("it grows too large or too deep, perhaps by its aliases; {}", remedies.excess)
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim();
            let words = first.split(" at line ").next().unwrap_or(first).trim_end_matches('.');
            let known = OURS.iter().find(|(theirs, _)| words.contains(theirs));
            match (error, known) {
                (Error::Message { .. }, _) => words.to_owned(),
                (_, Some((_, ours))) => (*ours).to_owned(),
                _ => format!("{words}; correct what begins here, or put a text in quotes"),
            }
        }
    }
}

const ESCAPE: &str = "a text in double quotes has an escape that YAML does not have; write \\\\ for a backslash, or use single quotes";
const TAB: &str = "a tab indents the line; indent it by spaces";
const INDENTATION: &str = "the line does not begin in the column of its neighbours; correct its indentation";
const UNFINISHED_TAG: &str = "the tag (!) is not whole; write the value itself, or put the text in quotes";
const DIRECTIVE: &str = "the line is a directive (%) that is not read; take it out, or put a text in quotes";
const BREAKS_OFF: &str = "the document breaks off; write what is missing";

/// What the parser says, as a part of its sentence, and what we say instead. The first that fits counts.
const OURS: &[(&str, &str)] = &[
    // Of a comma too many the parser says that something broke off.
    (
        "EOF while parsing an implicit flow mapping",
        "nothing stands before a comma; write the entry, or take the comma out",
    ),
    ("unexpected EOF", BREAKS_OFF),
    ("unexpected eof", BREAKS_OFF),
    (
        "mapping values are not allowed in this context",
        "a colon makes a key of what can't be one; put a text with a colon in quotes, or correct the line's indentation",
    ),
    ("illegal placement of ':'", "a colon stands where no key is before it; put the text in quotes"),
    ("simple key expected ':'", "a key has no colon after it; write it, or put the text in quotes"),
    ("simple key is no longer valid", "a key has no colon on its line; write it, or put the text in quotes"),
    ("mapping keys are not allowed in this context", "no key can stand here; begin a line with it"),
    (
        "block sequence entries are not allowed in this context",
        "an entry of a list (-) begins a line of its own; write it there, or put the text in quotes",
    ),
    (
        "did not find expected '-' indicator",
        "the list goes on with what is no entry; begin the line with \"- \", or correct its indentation",
    ),
    (
        "did not find expected key",
        "no key stands where one must; write \"key: value\", or correct the line's indentation",
    ),
    ("unclosed bracket", "the bracket that begins here is not closed; close it, or put the text in quotes"),
    ("misplaced bracket", "the bracket closes nothing; take it out, or put the text in quotes"),
    ("mismatched bracket", "the bracket closes one of another kind; correct one of the two"),
    (
        "did not find expected ',' or '}'",
        "no comma stands between two entries; write it, or close the bracket",
    ),
    ("expected ',' or ']'", "no comma stands between two entries; write it, or close the bracket"),
    ("unclosed quote", "the quote that begins here is not closed; close it"),
    (
        "invalid trailing content after",
        "something stands behind a text in quotes; put all of it in the quotes",
    ),
    (
        "a quoted scalar, found unexpected document indicator",
        "the quote before this line is not closed; close it",
    ),
    ("unknown escape character", ESCAPE),
    ("hexadecimal number", ESCAPE),
    ("surrogate", ESCAPE),
    ("Unicode character escape", ESCAPE),
    ("unexpected character", "no value can begin with this character; put the text in quotes"),
    ("plain scalar cannot start with '-'", "no value can begin so; put the text in quotes"),
    ("found a tab", TAB),
    ("tabs disallowed", TAB),
    ("tab cannot be used as indentation", TAB),
    ("cannot start with a tab", TAB),
    ("found extremely long version number", DIRECTIVE),
    ("YAML major version", "only YAML 1 is read; take the line out"),
    ("irective", DIRECTIVE),
    ("an anchor or alias", "no name stands behind & or *; write it, or put the text in quotes"),
    ("unsupported tag `!!", "the value is not of the type that its tag says; correct one of them"),
    ("handle wasn't declared", UNFINISHED_TAG),
    ("tag", UNFINISHED_TAG),
    ("scanning TAG", UNFINISHED_TAG),
    ("wrongly indented line in block scalar", INDENTATION),
    (
        "scanning a block scalar",
        "behind | or > stands nothing but -, + and a digit; begin the text on the next line",
    ),
    ("comments must be separated", "no blank stands before #; write it, or put the text in quotes"),
    ("comment intercepting", "a comment (#) stands within a text of several lines; take it out"),
    ("expected whitespace", "a blank is missing; write it, or put the text in quotes"),
    ("after document end marker", "something stands behind \"...\"; take it out"),
    ("invalid indentation", INDENTATION),
    ("BOM must not appear", "a byte order mark stands within the document; take it out"),
    ("expected node content", "a value is missing or can't begin so; write it, or put the text in quotes"),
    ("unexpected end of plain scalar", BREAKS_OFF),
];

/// Returns where an error stands in a text: the line from 1, and the column in characters from 1.
pub fn place(error: &Error, text: &str) -> Option<(u64, u64)> {
    // The parser takes `1` and `"1"` for two keys. Who reads both as one text finds that out, and the error stands where
    // their mapping does, if anywhere.
    let repeated = if matches!(error, Error::Message { .. }) { repeated_key(text) } else { None };
    let location = error.location().map(|location| (location.line(), location.column()));
    repeated.or(location.filter(|&(line, _)| line > 0))
}

/// Finds the first key that is spelled like another one of its mapping, be it quoted or not. What the document has been
/// read of must be within its budget.
fn repeated_key(text: &str) -> Option<(u64, u64)> {
    // Of each open container: its keys if it is a mapping, and whether the next node is one.
    let mut open: Vec<Option<(HashSet<String>, bool)>> = Vec::new();
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let key = match &event {
            Event::Scalar(key, ..) => Some(key.to_string()),
            Event::Alias(_) | Event::SequenceStart(..) | Event::MappingStart(..) => None,
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                continue;
            }
            _ => continue,
        };
        if let Some(Some((keys, is_key))) = open.last_mut() {
            let is_repeated = *is_key && key.is_some_and(|key| !keys.insert(key));
            *is_key = !*is_key;
            if is_repeated {
                return Some((span.start.line() as u64, span.start.col() as u64 + 1));
            }
        }
        match event {
            Event::SequenceStart(..) => open.push(None),
            Event::MappingStart(..) => open.push(Some((HashSet::new(), true))),
            _ => {}
        }
    }
    None
}

/// Whether the text ends within a block scalar (`|`, `>`) whose last line has no line break. The parser adds one, and so does
/// its value; YAML keeps no break that is not there (1.2.2, 8.1.1.2). Such a scalar is the last value of its document, which
/// must be one that was read.
pub fn ends_without_break(text: &str) -> bool {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    if last_line.trim().is_empty() || !text.contains(['|', '>']) {
        return false;
    }
    let events = Parser::new_from_str(text).map_while(Result::ok);
    let scalar = events.filter(|(event, _)| matches!(event, Event::Scalar(..))).last();
    scalar.is_some_and(|(event, span)| {
        let is_block = matches!(event, Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..));
        is_block && span.end.index() >= text.chars().count()
    })
}

/// A tag that is not read.
#[derive(Debug, PartialEq, Eq)]
pub struct ForeignTag {
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
    /// What is wrong with it, and the remedy.
    pub message: String,
}

/// Finds the first tag of a document that is none of the core schema's: `!!str`, `!!int`, `!!float`, `!!bool`,
/// `!!null`, `!!seq`, `!!map`, and `!`, which makes a text of a scalar.
///
/// A text that `!!null` is said of is found too: the parser makes null of it.
///
/// The parser drops the others: `!Ref Queue` would be the text `Queue`, and `!Sub "${Stage}-job"` a text that was
/// never filled in. The document must be one that was read, because only that is known to be within its budget.
pub fn foreign_tag(text: &str) -> Option<ForeignTag> {
    if !text.contains('!') {
        return None;
    }
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let Some(tag) = event.tag() else { continue };
        let spelled = tag.to_string();
        let at = span.tag_start().unwrap_or(span.start);
        if let ("tag:yaml.org,2002:null", Event::Scalar(value, ..)) = (&*spelled, &event)
            && !["", "~", "null", "Null", "NULL"].contains(&&**value)
        {
            // The parser makes null of any text.
            let message = "the value is not of the type that its tag says; correct one of them".to_owned();
            return Some(ForeignTag { line: at.line() as u64, column: at.col() as u64 + 1, message });
        }
        if tag.is_yaml_core_schema() || spelled == "!" {
            continue;
        }
        let spelled = match spelled.strip_prefix("tag:yaml.org,2002:") {
            Some(name) => format!("!!{name}"),
            None => spelled,
        };
        return Some(ForeignTag {
            line: at.line() as u64,
            column: at.col() as u64 + 1,
            message: format!(
                "the tag {spelled} is not read, and would be lost; write the value itself, or put the whole text in quotes"
            ),
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_it_stands_a_second_time() {
        for (text, place) in [
            ("1: a\n\"1\": b", Some((2, 1))),
            ("a: {é: [a, a], \"é\": 2}", Some((1, 16))),
            ("- a: 1\n- a: 2", None),
            ("a: a\nb: {a: b}", None),
            ("&x a: *x\n*x : c", None),
        ] {
            assert_eq!(repeated_key(text), place, "{text}");
        }
    }

    #[test]
    fn a_block_scalar_whose_last_line_has_no_break_is_told() {
        for (text, ends_so) in [
            ("a: |\n  text", true),
            ("a: >-\n  text", true),
            ("- >+\n  té\n  xt", true),
            ("--- |\n text", true),
            ("a: |\n  text\n", false),
            ("a: |\n  text\n  ", false),
            ("a: |\n  text\n...", false),
            ("a: |\n  text\n# said", false),
            ("a: |\n  text\nb: c", false),
            ("a: b|c", false),
            ("a: 'b > c'", false),
        ] {
            assert_eq!(ends_without_break(text), ends_so, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_null_is_not_tagged_so() {
        for text in ["a: !!null", "a: !!null ~", "- !!null null\n- !!null ''", "!!null NULL"] {
            assert_eq!(foreign_tag(text), None, "{text}");
        }
        for (text, place) in [("a: !!null x", (1, 4)), ("- 1\n- !!null 0", (2, 3)), ("!!null 'a'", (1, 1))] {
            let found = foreign_tag(text).unwrap();
            assert_eq!((found.line, found.column), place, "{text}");
            assert!(found.message.contains("not of the type"), "{text}: {found:?}");
        }
    }

    #[test]
    fn tags_of_the_core_schema_are_read_and_others_are_found_where_they_stand() {
        for text in [
            "a: !!str 5",
            "a: !!int \"5\"",
            "- !!seq [x]\n- !!map {a: !!null ~}",
            "a: ! 5",
            "a: \"!Ref x\"",
            "# !Ref",
        ] {
            assert_eq!(foreign_tag(text), None, "{text}");
        }
        for (text, line, column, tag) in [
            ("a: !Ref Queue", 1, 4, "!Ref"),
            ("a: 1\nb:\n- !Sub \"${S}\"", 3, 3, "!Sub"),
            ("ä: !!binary aGk=", 1, 4, "!!binary"),
            ("a: !Join\n  - ','\n  - [x]", 1, 4, "!Join"),
            ("a: !<tag:example.com,2000:x> y", 1, 4, "tag:example.com,2000:x"),
            ("a: !int 5", 1, 4, "!int"),
            ("!Ref a: b", 1, 1, "!Ref"),
            ("a: &x !GetAtt [b]", 1, 7, "!GetAtt"),
            ("%TAG !e! tag:e.com,1:\n---\na: !e!x y", 3, 4, "tag:e.com,1:x"),
        ] {
            let found = foreign_tag(text).unwrap();
            assert_eq!((found.line, found.column), (line, column), "{text}");
            assert!(found.message.starts_with(&format!("the tag {tag} is not read")), "{text}: {found:?}");
        }
    }
}

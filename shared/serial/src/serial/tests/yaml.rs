//! YAML and back.

use super::{converted, refused};
use crate::serial::YAML_DEPTH_MAX;

/// Texts that a reader of YAML 1.1 or 1.2 takes for something else when they are not quoted.
const TRAPS: &[&str] = &[
    "",
    " ",
    "  a",
    "a ",
    "no",
    "No",
    "NO",
    "yes",
    "on",
    "off",
    "y",
    "n",
    "true",
    "True",
    "false",
    "null",
    "Null",
    "~",
    "0",
    "1",
    "-1",
    "+1",
    "0o7",
    "0x1F",
    "0b1",
    "017",
    "1_000",
    "1e3",
    "1E3",
    "1.",
    ".5",
    ".inf",
    "-.INF",
    ".nan",
    "1:30",
    "190:20:30",
    "2020-01-01",
    "2001-12-14t21:59:43.10-05:00",
    "=",
    "<<",
    "-",
    "- a",
    "?",
    "? a",
    ":",
    ": a",
    "a:",
    "a: b",
    "a #b",
    "#a",
    "[a",
    "{a",
    "]",
    "}",
    ",",
    "&a",
    "*a",
    "!a",
    "!!str a",
    "|",
    ">",
    "'a'",
    "\"a\"",
    "%a",
    "@a",
    "`a`",
    "---",
    "...",
    "--- a",
    "a\nb",
    "a\n",
    "\na",
    "\n",
    "a\n\n",
    " a\nb",
    "a\n b\n",
    "a\r\nb",
    "a\tb",
    "\ta",
    "\\",
    "a\\nb",
    "é",
    "\u{1F600}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}a",
    "\u{7f}",
    "\u{0}",
    "\u{1b}",
    "\u{a0}",
    "\u{fffe}",
    "a\u{0}b\nc",
];

#[test]
fn texts_that_look_like_something_else_come_back_as_texts() {
    for trap in TRAPS
        .iter()
        .map(|&trap| trap.to_owned())
        .chain([format!("{}é x", "long ".repeat(60)), "x".repeat(300)])
    {
        for json in [
            serde_json::json!(trap),
            serde_json::json!([trap]),
            serde_json::json!([[trap, 1]]),
            serde_json::json!({"a": trap, "b": {"c": trap}}),
            serde_json::json!({trap.clone(): 1}),
            serde_json::json!([{trap.clone(): [trap]}]),
        ] {
            let json = json.to_string();
            let yaml = converted(&json, "json", "yaml").unwrap();
            assert_eq!(converted(&yaml, "yaml", "json").unwrap().trim_end(), json, "{trap:?} by {yaml}");
        }
    }
}

#[test]
fn members_keep_their_order_and_empty_containers_stay_what_they_are() {
    for json in
        ["{\"b\":{},\"a\":[],\"c\":[[],{}]}", "[]", "{}", "[[[1],[]]]", "null", "[null,true,{\"a\":null}]"]
    {
        let yaml = converted(json, "json", "yaml").unwrap();
        assert_eq!(converted(&yaml, "yaml", "json").unwrap().trim_end(), json, "{yaml}");
    }
}

#[test]
fn numbers_keep_their_value_or_are_refused() {
    for (json, back) in [
        (
            "[0,-0,1,-1,18446744073709551615,-9223372036854775808]",
            "[0,-0.0,1,-1,18446744073709551615,-9223372036854775808]",
        ),
        ("[1.0,1.50,1e3,1E-7,1e300,0.1,-2.5e-10]", "[1.0,1.5,1000.0,1e-07,1e+300,0.1,-2.5e-10]"),
        ("[9007199254740993]", "[9007199254740993]"),
    ] {
        let yaml = converted(json, "json", "yaml").unwrap();
        let found = converted(&yaml, "yaml", "json").unwrap();
        let numbers = |text: &str| serde_json::from_str::<Vec<serde_json::Number>>(text).unwrap();
        assert_eq!(numbers(&found), numbers(back), "{yaml}");
    }
    for (json, expected) in [
        ("[1, {\"a/b\": [1e400]}]", "at /1/a~1b/0: the number 1e400 is too large for a double"),
        ("-1e999", "the number -1e999 is too large for a double"),
    ] {
        let message = refused(json, "json", "yaml");
        assert!(
            message.starts_with(expected) && message.ends_with("write it as a text in quotes"),
            "{message}"
        );
    }
}

/// Digits that neither a double nor 64 bits hold.
const LONG: [&str; 11] = [
    "0.12345678901234567890123",
    "-0.10000000000000001",
    "1.0e-400",
    "9007199254740993.0",
    "18446744073709551616",
    "-9223372036854775809",
    "12345678901234567890123",
    "123456789012345678901234567890",
    "12345678901234567890123456789012345678901234567890",
    "1.50",
    "340282366920938463463374607431768211456",
];

#[test]
fn digits_stay_from_yaml_and_to_it() {
    let list = format!("[{}]", LONG.join(","));
    let object = format!("{{\"1.5\":{},\"a\":[[],{{}},\"0.12345678901234567890123\",{}]}}", LONG[0], LONG[4]);
    for json in [&*list, &object, LONG[0]] {
        let yaml = converted(json, "json", "yaml").unwrap();
        assert_eq!(converted(&yaml, "yaml", "json").unwrap().trim_end(), json, "{yaml}");
    }
    // What an alias repeats, tags, and what JSON spells otherwise.
    for (yaml, json) in [
        (
            "a: &x [1.50, {k: 2.50}, &y .5]\nb: [*x, 3.50, *y]\n*y : 4.50",
            "{\"a\":[1.50,{\"k\":2.50},0.5],\"b\":[[1.50,{\"k\":2.50},0.5],3.50,0.5],\".5\":4.50}",
        ),
        (
            "[é, +1.0e-400, 1., !!float \"2.50\", !!str 2.50, 0x1F, -12e03]",
            "[\"é\",1.0e-400,1.0,2.50,\"2.50\",31,-12e03]",
        ),
        (
            "t: 1e-400\nid: 123456789012345678901234567890",
            "{\"t\":1e-400,\"id\":123456789012345678901234567890}",
        ),
        (
            "[!!str 0xFFFFFFFFFFFFFFFFFF, '0xFFFFFFFFFFFFFFFFFF']",
            "[\"0xFFFFFFFFFFFFFFFFFF\",\"0xFFFFFFFFFFFFFFFFFF\"]",
        ),
    ] {
        assert_eq!(converted(yaml, "yaml", "json").unwrap().trim_end(), json, "{yaml}");
    }
}

#[test]
fn yaml_that_has_no_json_is_refused_with_its_place() {
    for (yaml, expected) in [
        (
            "a: 1\na: 2\n",
            "line 2, column 1 (byte 5): invalid YAML: the key \"a\" stands twice in one mapping; remove one",
        ),
        ("a: .nan\n", "a number must be finite, as JSON's are; write null in its place"),
        ("a: 1\n---\nb: 2\n", "more than one document; write one file each; document 2 begins on line 2"),
        ("# one\n---\na: 1\n...\n# two\nb: 2\n", "document 2 begins on line 6"),
        ("--- |\n text\n---\n- 2\n---\n- 3\n", "document 2 begins on line 3"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "merge keys (<<) are not read; write the members out"),
        (
            "a: *x\n",
            "invalid YAML: the alias (*) repeats nothing, because no anchor (&) of its name stands before it",
        ),
        ("é: [1, 2\n", "invalid YAML"),
        ("a:\n  1: a\n  \"1\": b\n", "line 3, column 3 (byte 12)"),
        (
            "? [a]\n: 1\n",
            "line 1, column 3 (byte 2): invalid YAML: a key is a list or a mapping, which JSON's keys can't be; write a text",
        ),
        (
            "a: 0\nid: 0xFFFFFFFFFFFFFFFFFF",
            "line 2, column 5 (byte 9): the number 0xFFFFFFFFFFFFFFFFFF has more than 64 bits; write it in decimal digits",
        ),
        (
            "a: 1e400",
            "line 1, column 4 (byte 3): invalid YAML: the number 1e400 is too large for a double; write it in quotes",
        ),
        (
            "1: a\n\"1\": b\n",
            "line 2, column 1 (byte 5): invalid YAML: the key \"1\" stands twice in one mapping; remove one",
        ),
        (
            "null: a\n",
            "line 1, column 1 (byte 0): invalid YAML: a key is null or missing; write it in quotes, as in \"null\"",
        ),
        ("?\n", "a key is null or missing"),
        (
            "a: &x [*x]\n",
            "column 8 (byte 7): invalid YAML: an alias (*) stands within what it repeats, which would never end; write the value out",
        ),
        ("a: !!int x\n", "invalid YAML: the value is not of the type that its tag says; correct one of them"),
        ("a: !!bool 7\n", "invalid YAML: the value is not of the type that its tag says"),
        (
            "[,a]\n",
            "line 1, column 2 (byte 1): invalid YAML: nothing stands before a comma; write the entry, or take the comma out",
        ),
        ("a: \"b\n", "invalid YAML: the quote that begins here is not closed; close it"),
        ("a: !!null x\n", "line 1, column 4 (byte 3): the value is not of the type that its tag says"),
        ("a: !!map [1]\n", "invalid YAML: the value is not of the type that its tag says"),
    ] {
        let message = refused(yaml, "yaml", "json");
        assert!(message.contains(expected), "{yaml}: {message}");
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    assert!(refused(&deep, "yaml", "json").contains("it grows too large or too deep"));
}

#[test]
fn what_the_parser_finds_is_told_in_our_words_with_a_remedy() {
    for (yaml, expected) in [
        ("a:\n\t- b\n", "a tab indents the line; indent it by spaces"),
        ("a: b: c\n", "a colon makes a key of what can't be one"),
        ("a: [1, 2\n", "the bracket that begins here is not closed"),
        ("a: ]\n", "the bracket closes nothing"),
        ("a: [1}\n", "the bracket closes one of another kind"),
        ("- a\nb: c\n", "the list goes on with what is no entry"),
        ("a: 1\n- b\n", "no key stands where one must"),
        ("? a\nb\n", "a key has no colon after it"),
        ("a: @x\n", "no value can begin with this character"),
        ("%YAML 3.0\n---\na: 1\n", "only YAML 1 is read"),
        ("a: &\n", "no name stands behind & or *"),
        ("a: !<x y\n", "the tag (!) is not whole"),
        ("a: |9x\n b\n", "behind | or > stands nothing but"),
        ("a: |\n    b\n  c\n d\n", "no key stands where one must"),
        ("\"a\" b: c\n", "something stands behind a text in quotes"),
        ("a: \"\\q\"\n", "has an escape that YAML does not have"),
        ("a: \"\\x4\"\n", "has an escape that YAML does not have"),
        ("a: -\n", "an entry of a list (-) begins a line of its own"),
        ("--- a\n... b\n", "something stands behind \"...\""),
    ] {
        let message = refused(yaml, "yaml", "json");
        assert!(message.contains(expected) && message.contains(';'), "{yaml}: {message}");
    }
}

#[test]
fn a_text_block_at_the_end_has_the_line_breaks_that_it_has_in_the_document() {
    for (yaml, json) in [
        ("a: |\n  x\n  y", "{\"a\":\"x\\ny\"}\n"),
        ("- >\n  x\n  y", "[\"x y\"]\n"),
        ("|\n x\n", "\"x\\n\"\n"),
        ("a: |+\n  x\n\n", "{\"a\":\"x\\n\\n\"}\n"),
    ] {
        assert_eq!(converted(yaml, "yaml", "json").unwrap(), json, "{yaml:?}");
    }
}

#[test]
fn aliases_repeat_what_they_mark_and_no_more_than_fits() {
    assert_eq!(converted("a: &q [x]\nb: *q\n", "yaml", "json").unwrap(), "{\"a\":[\"x\"],\"b\":[\"x\"]}\n");
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        laughs += &format!("a{level}: &a{level} [{before}]\n");
    }
    assert!(
        refused(&laughs, "yaml", "json").contains("it grows too large or too deep, perhaps by its aliases")
    );
    // Few values, each of them long.
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), "*a, ".repeat(5000));
    assert!(
        refused(&long, "yaml", "json").contains("it grows too large or too deep, perhaps by its aliases")
    );
}

#[test]
fn text_as_yaml_1_1_had_it_stays_text() {
    let yaml = "{a: yes, b: off, c: 0755, d: 1_000, e: 2020-01-01, f: 1:30, g: \"1\", h: 0o7}";
    let json = converted(yaml, "yaml", "json").unwrap();
    assert_eq!(
        json,
        "{\"a\":\"yes\",\"b\":\"off\",\"c\":\"0755\",\"d\":\"1_000\",\"e\":\"2020-01-01\",\"f\":\"1:30\",\"g\":\"1\",\"h\":7}\n"
    );
}

/// In a thread of a test, whose stack is as small as that of a worker of tokio.
#[test]
fn nesting_is_bounded_where_the_stack_holds_it() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let levels = YAML_DEPTH_MAX as usize / open.matches(['[', '{']).count();
        let fits = open.repeat(levels) + "1" + &close.repeat(levels);
        let yaml = converted(&fits, "json", "yaml").unwrap();
        assert_eq!(converted(&yaml, "yaml", "json").unwrap().trim_end(), fits);
        let deeper = open.repeat(levels + 1) + "1" + &close.repeat(levels + 1);
        assert!(refused(&deeper, "yaml", "json").contains("it grows too large or too deep"), "{deeper}");
        let message = refused(&deeper, "json", "yaml");
        assert_eq!(message, "nested more than 48 deep, which YAML is not written; flatten it, or write JSON");
    }
}

//! What each command prints, whole, as it is checked in: `UPDATE_GOLDEN=1 cargo test --test program golden` writes it
//! anew, and the difference is read before it is committed.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::{Folder, example};

/// What differs from run to run is named by when it came up: ids, and moments, of which only their kind is kept.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn settle(&mut self, value: &mut Value, field: &str) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(field, value)| self.settle(value, field)),
            Value::Array(entries) => entries.iter_mut().for_each(|entry| self.settle(entry, field)),
            Value::Number(_) if field.ends_with("At") => *value = "MOMENT".into(),
            Value::String(text) => *text = self.named(text),
            _ => {}
        }
    }

    /// The text with each of its ids replaced: a UUID, or a run's.
    fn named(&mut self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_hexdigit() || c == '-' || "run".contains(c);
        let mut named = String::new();
        for word in text.split_inclusive(|c| !is_part(c)) {
            let id = word.trim_end_matches(|c| !is_part(c));
            let is_id = id.len() == 36 && id.matches('-').count() == 4
                || id.strip_prefix("run-").is_some_and(|rest| rest.len() == 24);
            if is_id {
                let next = format!("ID-{}", self.0.len() + 1);
                named.push_str(self.0.entry(id.to_owned()).or_insert(next));
                named.push_str(&word[id.len()..]);
            } else {
                named.push_str(word);
            }
        }
        named
    }
}

#[expect(clippy::disallowed_methods, reason = "asked for by hand, where the files are to be rewritten")]
fn asked_to_rewrite() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

#[test]
fn what_commands_print_is_what_is_checked_in() {
    let folder = Folder::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = asked_to_rewrite();
    std::fs::copy(example("pipeline.yaml"), folder.path("pipeline.yaml")).unwrap();
    let mut names = Names::default();
    for (file, args) in [
        ("run", &["run", "pipeline.yaml", "--simulate", "7"][..]),
        ("plan", &["plan", "pipeline.yaml"]),
        ("runs", &["runs"]),
        ("jobs", &["jobs"]),
        ("status", &["status"]),
        ("status-job", &["status", "tiles"]),
        ("explain", &["explain", "pipeline.yaml"]),
        ("explain-job", &["explain", "after-broken"]),
        ("logs", &["logs", "prepare"]),
        ("terminate", &["terminate", "tiles", "--yes"]),
    ] {
        let place = ["--local", "--state-dir", "state", "--output", "json"];
        let ended = folder.run(&[args, &place[..]].concat());
        let mut found = ended.json();
        names.settle(&mut found, "");
        let found = format!("{found:#}\n").replace(folder.path("").to_str().unwrap(), "");
        let path = golden.join(format!("{file}.json"));
        if update {
            std::fs::create_dir_all(&golden).unwrap();
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        assert_eq!(found, expected, "{}", path.display());
    }
}

//! Files that a failed command names and that are in the caller's folder instead of the attempt's.

use std::path::Path;

/// Words of a command that are looked at. A command may be a whole script.
const WORDS_MAX: usize = 256;

/// Why the command may have failed: the first of its words that is a file of the caller's folder and not of the
/// attempt's. `python scripts/a.py` is what people try first.
pub(super) fn hint(command: &[String], caller: &Path, attempt: &Path) -> Option<String> {
    let is_misplaced = |word: &&str| {
        let path = Path::new(word);
        path.is_relative() && caller.join(path).exists() && !attempt.join(path).exists()
    };
    let word = command.iter().flat_map(|argument| words(argument)).take(WORDS_MAX).find(is_misplaced)?;
    let caller = caller.display();
    Some(format!(
        "{word:?} is in {caller} and not in the attempt's own folder, which is empty at first, as on AWS Batch; \
         give --workdir {caller} to run jobs there"
    ))
}

/// An argument itself, what follows its `=`, and where it is a script, those of its words that look like paths.
fn words(argument: &str) -> impl Iterator<Item = &str> {
    let value = argument.split_once('=').map(|(_, value)| value);
    let is_script = argument.contains(char::is_whitespace);
    let separators = |c: char| c.is_whitespace() || "'\"`;|&()<>=".contains(c);
    let parts = argument.split(separators).filter(move |word| is_script && word.contains(['.', '/']));
    std::iter::once(argument).chain(value).chain(parts).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_of_the_callers_folder_are_found_in_commands() {
        let (caller, attempt) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(caller.path().join("scripts")).unwrap();
        for name in ["scripts/a.py", "run", "both.csv"] {
            fs::write(caller.path().join(name), "").unwrap();
        }
        fs::write(attempt.path().join("both.csv"), "").unwrap();
        for (command, expected) in [
            (&["python", "scripts/a.py"][..], Some("scripts/a.py")),
            (&["./run"], Some("./run")),
            (&["run"], Some("run")),
            (&["cat", "both.csv", "scripts"], Some("scripts")),
            (&["tool", "--script=scripts/a.py"], Some("scripts/a.py")),
            (&["sh", "-c", "set -e; python 'scripts/a.py' | cat"], Some("scripts/a.py")),
            (&["sh", "-c", "run the tests"], None),
            (&["cat", "both.csv", "absent", "", ".", ".."], None),
            (&["cat", "/etc/passwd"], None),
        ] {
            let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
            let hint = hint(&command, caller.path(), attempt.path());
            let begins = expected.map(|word| format!("{word:?} is in {} and not", caller.path().display()));
            match (&hint, begins) {
                (Some(hint), Some(begins)) => assert!(hint.starts_with(&begins), "{hint}"),
                (hint, begins) => assert_eq!(hint, &begins, "{command:?}"),
            }
        }
        let command = ["./run".to_owned()];
        assert_eq!(super::hint(&command, caller.path(), caller.path()), None, "it runs where the file is");
    }
}

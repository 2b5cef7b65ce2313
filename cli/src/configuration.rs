//! The configuration file: which stacks there are, and where.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::environment;
use crate::exit::Failure;

/// What the file says. Without a file it says nothing.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// The stack that commands mean where neither they nor the environment name one.
    pub(crate) stack: Option<String>,
    /// Where stacks are, by the names that `--stack` knows them by.
    pub(crate) stacks: BTreeMap<String, Place>,
}

/// Where a stack is, and how it is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Place {
    /// The Name that it was deployed with; none: the name that it is known by here.
    pub(crate) name: Option<String>,
    /// The profile of the AWS configuration.
    pub(crate) profile: Option<String>,
    /// The AWS Region.
    pub(crate) region: Option<String>,
    /// Another endpoint than AWS's.
    pub(crate) endpoint_url: Option<String>,
}

impl Configuration {
    /// Reads the file that `BATCHWRIGHT_CONFIG` names, or else `batchwright/config.yaml` of the user's configuration, if
    /// there is one.
    pub(crate) fn read() -> Result<Self, Failure> {
        let named = environment::configuration();
        let is_named = named.is_some();
        let Some(path) =
            named.or_else(|| Some(environment::configurations()?.join("batchwright/config.yaml")))
        else {
            return Ok(Self::default());
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(error) if error.kind() == ErrorKind::NotFound && !is_named => Ok(Self::default()),
            Err(error) => Err(refused(&path, &error.to_string())),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        // A file of comments alone says nothing.
        let read: Result<Option<Self>, _> = serde_saphyr::from_str(text);
        read.map(Option::unwrap_or_default).map_err(|error| refused(path, &error.to_string()))
    }
}

fn refused(path: &Path, why: &str) -> Failure {
    let why = why.lines().next().unwrap_or_default();
    Failure::Usage(format!(
        "the configuration {}: {why}; it may hold `stack: NAME`, and `stacks:` with a name, profile, region and endpointUrl for each",
        path.display()
    ))
}

/// Where users keep their configurations: `XDG_CONFIG_HOME`, or `.config` of their home.
pub(crate) fn folder(xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    // A relative path is to be ignored: <https://specifications.freedesktop.org/basedir-spec/latest/>
    xdg.filter(|path| path.is_absolute()).or_else(|| Some(home?.join(".config")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Configuration, String> {
        Configuration::parse(text, Path::new("c.yaml")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn stacks_have_names_and_places() {
        let read = parsed(
            "stack: prod\nstacks:\n  prod: {name: batchwright, profile: science, region: eu-west-1}\n  test: {endpointUrl: 'http://127.0.0.1:4566'}\n",
        )
        .unwrap();
        assert_eq!(read.stack.as_deref(), Some("prod"));
        let prod = &read.stacks["prod"];
        assert_eq!((prod.name.as_deref(), prod.profile.as_deref()), (Some("batchwright"), Some("science")));
        assert_eq!(read.stacks["test"].endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in ["", "# stack: prod\n", "stacks: {}\n"] {
            assert_eq!(parsed(text), Ok(Configuration::default()), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_file_and_a_remedy() {
        for (text, why) in [
            ("stak: prod", "stak"),
            ("stacks: {prod: {regoin: a}}", "regoin"),
            ("stack: [", "c.yaml"),
            ("7", "c.yaml"),
        ] {
            let refused = parsed(text).unwrap_err();
            assert!(refused.contains(why) && refused.contains("it may hold `stack: NAME`"), "{refused}");
            assert_eq!(refused.lines().count(), 1, "{refused}");
        }
    }

    #[test]
    fn users_keep_their_configurations_where_xdg_says() {
        let [absolute, relative, home] = ["/x", "x", "/home/a"].map(|path| Some(PathBuf::from(path)));
        assert_eq!(folder(absolute.clone(), home.clone()), absolute);
        assert_eq!(folder(relative, home.clone()), Some("/home/a/.config".into()));
        assert_eq!(folder(None, home), Some("/home/a/.config".into()));
        assert_eq!(folder(None, None), None);
    }
}

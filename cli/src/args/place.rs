//! Where a command looks: on this machine or at a stack.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

#[cfg(feature = "aws")]
use batchwright::aws::Connection;
use batchwright::local::StateDir;
use clap::Args;

#[cfg(feature = "aws")]
use crate::configuration::Configuration;
#[cfg(feature = "aws")]
use crate::environment;
use crate::exit::Failure;

/// Where the jobs run and their state lies.
#[derive(Debug, Clone, Args)]
pub(crate) struct Deployment {
    /// Run on this machine, with the embedded engine
    #[cfg_attr(not(feature = "aws"), arg(long, required = true))]
    #[cfg_attr(feature = "aws", arg(long, conflicts_with = "stack"))]
    local: bool,
    /// The folder of the embedded engine's state [default: .batchwright]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    stack: StackArgs,
}

/// A stack on AWS, and how AWS is reached.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Args)]
pub(crate) struct StackArgs {
    /// The Name of a deployed stack, or a name that the configuration knows [default: the variable
    /// BATCHWRIGHT_STACK, else the configuration's]
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// The profile of the AWS configuration
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// The AWS Region
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Another endpoint than AWS's
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
}

/// Where a command looks.
#[derive(Debug)]
pub(crate) enum Target {
    /// A state folder of this machine.
    Local(StateDir),
    /// A stack on AWS.
    #[cfg(feature = "aws")]
    Stack(StackArgs),
}

#[cfg(feature = "aws")]
impl StackArgs {
    /// How AWS is reached.
    pub(crate) fn connection(&self) -> Connection {
        Connection {
            region: self.region.clone(),
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            ..Connection::default()
        }
    }

    /// With the stack's name and place. The name is the option's, else the environment's, else the configuration's; the
    /// place is the options', else the one that the configuration has for that name. Errs where nothing names a stack.
    pub(crate) fn named(&self) -> Result<StackArgs, Failure> {
        let mut configuration = Configuration::read()?;
        let name = self.known_as(&configuration).ok_or_else(|| {
            let why = "no stack is named: give --stack NAME, or set BATCHWRIGHT_STACK; on this machine jobs run by --local";
            Failure::Usage(why.to_owned())
        })?;
        let place = configuration.stacks.remove(&name).unwrap_or_default();
        let name = place.name.unwrap_or(name);
        if !is_name(&name) {
            return Err(Failure::Usage(format!(
                "{name:?} can't be the Name of a stack, which has 2 to 24 lower-case letters, digits and hyphens, the first a letter"
            )));
        }
        Ok(StackArgs {
            stack: Some(name),
            profile: self.profile.clone().or(place.profile),
            region: self.region.clone().or(place.region),
            endpoint_url: self.endpoint_url.clone().or(place.endpoint_url),
        })
    }

    /// The name that a person knows the stack by.
    fn known_as(&self, configuration: &Configuration) -> Option<String> {
        self.stack.clone().or_else(environment::stack).or_else(|| configuration.stack.clone())
    }
}

/// As the templates take it.
#[cfg(feature = "aws")]
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (2..=24).contains(&name.len()) && name.as_bytes()[0].is_ascii_lowercase() && name.bytes().all(is_plain)
}

impl Deployment {
    /// Where the command looks: on this machine where `--local` says so, whatever the environment names. Errs where
    /// nothing says where, and where options of AWS stand beside `--local`.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        #[cfg(feature = "aws")]
        if !self.local {
            if self.state_dir.is_some() {
                let why = "--state-dir is for this machine: give --local in place of --stack";
                return Err(Failure::Usage(why.to_owned()));
            }
            return Ok(Target::Stack(self.stack.named()?));
        }
        #[cfg(feature = "aws")]
        if self.stack.profile.is_some() || self.stack.region.is_some() || self.stack.endpoint_url.is_some() {
            let why =
                "--profile, --region and --endpoint-url are for a stack: give --stack in place of --local";
            return Err(Failure::Usage(why.to_owned()));
        }
        Ok(Target::Local(self.state_dir()))
    }

    /// The options that say so, for another command of this program.
    pub(crate) fn as_arguments(&self) -> Vec<OsString> {
        #[cfg(feature = "aws")]
        if !self.local {
            let StackArgs { profile, region, endpoint_url, .. } = &self.stack;
            let stack = Configuration::read().ok().and_then(|read| self.stack.known_as(&read));
            let options = [
                ("--stack", &stack),
                ("--profile", profile),
                ("--region", region),
                ("--endpoint-url", endpoint_url),
            ];
            let given = options.into_iter().filter_map(|(name, value)| Some([name, value.as_ref()?]));
            return given.flatten().map(OsString::from).collect();
        }
        let mut arguments = vec![OsString::from("--local")];
        if let Some(dir) = &self.state_dir {
            arguments.extend(["--state-dir".into(), dir.into()]);
        }
        arguments
    }

    /// The same, as a person types them into a shell.
    pub(crate) fn as_options(&self) -> String {
        let words = self.as_arguments();
        let words: Vec<String> = words.iter().map(|word| quoted(&word.to_string_lossy())).collect();
        words.join(" ")
    }

    /// The state folder.
    pub(crate) fn state_dir(&self) -> StateDir {
        StateDir::new(self.given_state_dir().unwrap_or(Path::new(".batchwright")))
    }

    /// The state folder, where one was named.
    pub(crate) fn given_state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }
}

/// Quoted where a shell would take it apart.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in [
            ("plain-1.yaml", "plain-1.yaml"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}

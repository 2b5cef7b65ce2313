//! What a job sees of the environment in which the engine was started: as little as a container would.

use std::ffi::{OsStr, OsString};

/// Name and value of an environment variable.
pub type Variable = (OsString, OsString);

/// `PATH` where the caller has none. Docker gives the same to images that say nothing.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The caller's `PATH`, locale and time zone, and after them the variables that are passed on by `--env`: `NAME`
/// with the caller's value, which may be absent, or `NAME=VALUE`.
///
/// Nothing else is passed on, because AWS would not have it either: a job that reads the caller's credentials or
/// `PYTHONPATH` here would fail there.
pub fn job_environment(caller: impl IntoIterator<Item = Variable>, passed: &[OsString]) -> Vec<Variable> {
    let caller: Vec<Variable> = caller.into_iter().collect();
    let mut environment: Vec<Variable> =
        caller.iter().filter(|(name, _)| is_of_every_job(name)).cloned().collect();
    if environment.iter().all(|(name, _)| name != "PATH") {
        environment.push(("PATH".into(), DEFAULT_PATH.into()));
    }
    environment.extend(passed_environment(&caller, passed));
    environment
}

/// The variables that are passed on by `--env` alone: all that a container gets beside the job's own.
pub fn passed_environment(caller: &[Variable], passed: &[OsString]) -> Vec<Variable> {
    let value = |given: &OsString| {
        split_at_equals(given).or_else(|| caller.iter().find(|(name, _)| name == given).cloned())
    };
    passed.iter().filter_map(value).collect()
}

fn is_of_every_job(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| matches!(name, "PATH" | "LANG" | "TZ") || name.starts_with("LC_"))
}

fn split_at_equals(text: &OsStr) -> Option<Variable> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    let bytes = text.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'=')?;
    let part = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    Some((part(&bytes[..at]), part(&bytes[at + 1..])))
}

/// The value of the last variable of a name.
pub(super) fn value_of<'a>(environment: &'a [Variable], name: &str) -> &'a OsStr {
    environment.iter().rfind(|(known, _)| known == name).map_or(OsStr::new(""), |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<Variable> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn a_job_sees_path_locale_and_time_zone_and_what_is_passed_on() {
        let caller = variables(&[
            ("PATH", "/bin"),
            ("HOME", "/home/me"),
            ("LANG", "de_DE.UTF-8"),
            ("LC_ALL", "C"),
            ("TZ", "Asia/Tokyo"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_BATCH_JOB_ID", "another"),
            ("PYTHONPATH", "lib"),
            ("TOKEN", "a=b"),
        ]);
        let base =
            variables(&[("PATH", "/bin"), ("LANG", "de_DE.UTF-8"), ("LC_ALL", "C"), ("TZ", "Asia/Tokyo")]);
        for (passed, more) in [
            (&[][..], &[][..]),
            (&["TOKEN", "ABSENT"], &[("TOKEN", "a=b")]),
            (&["TOKEN=", "X=1=2", "PATH=/opt"], &[("TOKEN", ""), ("X", "1=2"), ("PATH", "/opt")]),
        ] {
            let passed: Vec<OsString> = passed.iter().map(Into::into).collect();
            let expected = [base.clone(), variables(more)].concat();
            assert_eq!(job_environment(caller.clone(), &passed), expected, "{passed:?}");
        }
    }

    #[test]
    fn programs_are_found_though_the_caller_has_no_path() {
        assert_eq!(job_environment([], &[]), variables(&[("PATH", DEFAULT_PATH)]));
        let twice = variables(&[("PATH", "/bin"), ("PATH", "/opt")]);
        assert_eq!(value_of(&twice, "PATH"), "/opt");
        assert_eq!(value_of(&twice, "TZ"), "");
    }
}

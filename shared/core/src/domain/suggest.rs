//! The known field that an unknown one was meant to be.

/// The nearest of the known names, where one is near: the same but for case, `_` and `-`, or with few
/// letters changed, one in three.
pub fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(unknown);
    let length = wanted.chars().count();
    // Two texts are as far apart as their lengths at least, and a file may hold a hundred thousand names.
    let may_be_near = |name: &String| name.chars().count().abs_diff(length) <= length / 3;
    let (distance, name) = known
        .map(|name| (plain(name), name))
        .filter(|(plain, _)| may_be_near(plain))
        .map(|(plain, name)| (strsim::damerau_levenshtein(&wanted, &plain), name))
        .min_by_key(|(d, _)| *d)?;
    (distance <= length / 3).then_some(name)
}

fn plain(name: &str) -> String {
    name.chars().take(64).filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["jobName", "jobQueue", "jobDefinition", "vcpus", "environment", "tags"];
        for (unknown, expected) in [
            ("jobname", Some("jobName")),
            ("job_name", Some("jobName")),
            ("JobName", Some("jobName")),
            ("vcpu", Some("vcpus")),
            ("enviroment", Some("environment")),
            ("tgas", Some("tags")),
            ("priority", None),
            ("b", None),
            ("", None),
        ] {
            assert_eq!(nearest(unknown, known.into_iter()), expected, "{unknown}");
        }
    }
}

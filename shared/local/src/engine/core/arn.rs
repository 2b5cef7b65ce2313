//! Amazon resource names, and the parts of them that a person writes instead.

/// The account of everything on the embedded engine.
pub(crate) const ACCOUNT: &str = "000000000000";

/// The Region of everything on the embedded engine.
pub(crate) const REGION: &str = "local";

/// The one compute environment: this machine.
pub(crate) const COMPUTE_ENVIRONMENT: &str = "local";

/// `arn:aws:batch:local:000000000000:<kind>/<name>`; what is an ARN already stays as it is.
pub(crate) fn arn(kind: &str, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    format!("arn:aws:batch:{REGION}:{ACCOUNT}:{kind}/{name}")
}

/// The last part of an ARN, or the text itself where it is none.
pub(crate) fn resource_name(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// A job definition's ARN, with revision 1 where none is named.
pub(crate) fn definition_arn(text: &str) -> String {
    let named = resource_name(text);
    let has_revision = definition_name(text) != named;
    if text.starts_with("arn:") || has_revision {
        arn("job-definition", text)
    } else {
        arn("job-definition", &format!("{text}:1"))
    }
}

/// A job definition's name, without ARN and revision.
pub(crate) fn definition_name(text: &str) -> &str {
    let named = resource_name(text);
    match named.rsplit_once(':') {
        Some((name, revision)) if revision.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_are_told_apart() {
        const ARN: &str = "arn:aws:batch:local:000000000000:job-definition/hello:3";
        for (text, expected_arn, name) in [
            ("hello", "arn:aws:batch:local:000000000000:job-definition/hello:1", "hello"),
            ("hello:3", ARN, "hello"),
            (ARN, ARN, "hello"),
        ] {
            assert_eq!((definition_arn(text).as_str(), definition_name(text)), (expected_arn, name));
        }
        assert_eq!(arn("job-queue", "q"), "arn:aws:batch:local:000000000000:job-queue/q");
        assert_eq!(resource_name("arn:aws:batch:local:000000000000:job-queue/q"), "q");
    }
}

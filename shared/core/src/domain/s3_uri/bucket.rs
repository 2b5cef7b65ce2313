//! The rules for the names of new buckets.

/// A name that AWS gives to no new bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} can't be the name of a new bucket: {rule}")]
pub struct InvalidBucketName {
    name: String,
    rule: String,
}

/// What a name may not start with: AWS keeps it for itself.
const PREFIXES: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];

/// What a name may not end with: names of access points and of other kinds of buckets do.
const SUFFIXES: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Holds a name against the rules for new general purpose buckets. Buckets that exist may break them:
/// those of us-east-1 from before March 2018 do, and so do access points that stand for a bucket.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub fn check_new_bucket(name: &str) -> Result<(), InvalidBucketName> {
    match broken_rule(name) {
        Some(rule) => Err(InvalidBucketName { name: name.to_owned(), rule }),
        None => Ok(()),
    }
}

fn broken_rule(name: &str) -> Option<String> {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if let Some(c) = name.chars().find(|&c| !is_alphanumeric(c) && !matches!(c, '.' | '-')) {
        return Some(format!("it has {c:?}; use lower-case letters, digits, dots and hyphens"));
    }
    if !(3..=63).contains(&name.len()) {
        return Some(format!("it has {} characters; use 3 to 63", name.len()));
    }
    if !(name.starts_with(is_alphanumeric) && name.ends_with(is_alphanumeric)) {
        return Some("it must begin and end with a letter or a digit".to_owned());
    }
    if name.contains("..") {
        return Some("it has two dots side by side; leave one out".to_owned());
    }
    if is_ip_address(name) {
        return Some("it is an IP address; use a name".to_owned());
    }
    if let Some(prefix) = PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        return Some(format!("AWS keeps names that start with {prefix:?} for itself"));
    }
    if let Some(suffix) = SUFFIXES.iter().find(|suffix| name.ends_with(**suffix)) {
        return Some(format!("names that end with {suffix:?} are not those of general purpose buckets"));
    }
    if name.ends_with("-an") && !is_of_an_account(name) {
        let rule = "only names of the form prefix-account-region-an may end with \"-an\"";
        return Some(rule.to_owned());
    }
    None
}

/// Four numbers, each of one to three digits.
fn is_ip_address(name: &str) -> bool {
    let is_number =
        |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.').count() == 4 && name.split('.').all(is_number)
}

/// `prefix-111122223333-eu-west-1-an`: a name of an account's own in one Region.
fn is_of_an_account(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let is_account = |part: &&str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.iter().position(is_account).is_some_and(|at| at > 0 && parts.len() >= at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_aws_gives_to_new_buckets_pass() {
        let longest = "a".repeat(63);
        for good in [
            "abc",
            "0-9",
            "my.bucket-1",
            &longest,
            "1.2.3",
            "1.2.3.4.5",
            "192.168.5.1234",
            "192.168.5.x",
            "a.-b",
            "sthree",
            "xn-a",
            "s3alias",
            "data-111122223333-eu-west-1-an",
            "man",
        ] {
            assert_eq!(check_new_bucket(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn names_that_aws_refuses_are_refused_with_the_rule() {
        for (bad, rule) in [
            ("", "it has 0 characters; use 3 to 63"),
            ("ab", "it has 2 characters; use 3 to 63"),
            (&*"a".repeat(64), "it has 64 characters; use 3 to 63"),
            ("Abc", "it has 'A'; use lower-case letters, digits, dots and hyphens"),
            ("a_b", "it has '_'; use lower-case letters, digits, dots and hyphens"),
            ("abc\n", "it has '\\n'; use lower-case letters, digits, dots and hyphens"),
            ("b\u{fc}cket", "it has '\u{fc}'; use lower-case letters, digits, dots and hyphens"),
            ("-abc", "it must begin and end with a letter or a digit"),
            ("ab-", "it must begin and end with a letter or a digit"),
            (".ab", "it must begin and end with a letter or a digit"),
            ("a..b", "it has two dots side by side; leave one out"),
            ("192.168.5.4", "it is an IP address; use a name"),
            ("999.1.1.1", "it is an IP address; use a name"),
            ("xn--a", "AWS keeps names that start with \"xn--\" for itself"),
            ("sthree-a", "AWS keeps names that start with \"sthree-\" for itself"),
            ("sthree-configurator", "AWS keeps names that start with \"sthree-\" for itself"),
            ("amzn-s3-demo-bucket", "AWS keeps names that start with \"amzn-s3-demo-\" for itself"),
            ("a-s3alias", "names that end with \"-s3alias\" are not those of general purpose buckets"),
            ("a--ol-s3", "names that end with \"--ol-s3\" are not those of general purpose buckets"),
            ("a.mrap", "names that end with \".mrap\" are not those of general purpose buckets"),
            ("a--usw2-az1--x-s3", "names that end with \"--x-s3\" are not those of general purpose buckets"),
            ("a--table-s3", "names that end with \"--table-s3\" are not those of general purpose buckets"),
            ("a-an", "only names of the form prefix-account-region-an may end with \"-an\""),
        ] {
            let error = check_new_bucket(bad).unwrap_err().to_string();
            assert_eq!(error, format!("{bad:?} can't be the name of a new bucket: {rule}"));
        }
    }
}

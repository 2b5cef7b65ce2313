//! The URL of a store.

use super::RedisStore;

/// Schemes that name a server.
const SCHEMES: [&str; 6] = ["redis", "rediss", "valkey", "valkeys", "redis+unix", "valkey+unix"];

/// Parameters of the client's own; the last three where the server is a socket's path.
const OF_THE_CLIENT: [&str; 4] = ["protocol", "db", "user", "pass"];

/// A URL, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoreUrl {
    /// The server's own URL.
    pub(super) server: String,
    /// What all keys begin with.
    pub(super) prefix: String,
    /// The server's URL without a password.
    pub(super) shown: String,
}

impl StoreUrl {
    pub(super) fn read(url: &str) -> Result<Self, String> {
        let shown = without_password(url);
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        if !scheme.is_some_and(|scheme| SCHEMES.contains(&scheme)) {
            return Err(format!(
                "{shown:?} is no URL of Redis; write redis://HOST:PORT or rediss://HOST:PORT"
            ));
        }
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut prefix = RedisStore::DEFAULT_PREFIX;
        let mut kept = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("prefix", value)) => prefix = value,
                Some((name, _)) if OF_THE_CLIENT.contains(&name) => kept.push(parameter),
                found => {
                    let name = found.map_or(parameter, |(name, _)| name);
                    return Err(format!("{shown:?}: there is no parameter {name:?}; write ?prefix=NAME"));
                }
            }
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(is_plain) {
            return Err(format!(
                "{shown:?}: the prefix {prefix:?} must be 1 to 64 letters, digits, '-', '_' or '.'"
            ));
        }
        let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
        Ok(Self { server: format!("{place}{query}"), prefix: prefix.to_owned(), shown })
    }
}

/// The URL with `***` for the password, also where the rest of it makes no sense.
pub(super) fn without_password(url: &str) -> String {
    let hidden = url.split_inclusive(['?', '&']).map(|part| match part.strip_prefix("pass=") {
        Some(secret) => format!("pass=***{}", if secret.ends_with('&') { "&" } else { "" }),
        None => part.to_owned(),
    });
    let url: String = hidden.collect();
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    // A password that was not escaped may hold any of '/', '?' and '@'.
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            let name = user.split_once(':').map_or(user, |(name, _)| name);
            format!("{scheme}://{name}:***@{place}")
        }
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_and_a_prefix() {
        for (url, server, prefix, shown) in [
            ("redis://localhost", "redis://localhost", "batchwright", "redis://localhost"),
            ("redis://h:1/2?prefix=a.b", "redis://h:1/2", "a.b", "redis://h:1/2?prefix=a.b"),
            (
                "rediss://me:s3cr3t@h:1?prefix=p&protocol=resp3",
                "rediss://me:s3cr3t@h:1?protocol=resp3",
                "p",
                "rediss://me:***@h:1?prefix=p&protocol=resp3",
            ),
            ("redis://:p/w@h", "redis://:p/w@h", "batchwright", "redis://:***@h"),
            (
                "redis+unix:///run/r.sock?pass=s3cr3t&db=2&prefix=p",
                "redis+unix:///run/r.sock?pass=s3cr3t&db=2",
                "p",
                "redis+unix:///run/r.sock?pass=***&db=2&prefix=p",
            ),
        ] {
            let read = StoreUrl::read(url).unwrap();
            let expected =
                StoreUrl { server: server.to_owned(), prefix: prefix.to_owned(), shown: shown.to_owned() };
            assert_eq!(read, expected, "{url}");
        }
    }

    #[test]
    fn a_url_that_is_refused_says_why_without_its_password() {
        for (url, text) in [
            ("http://me:s3cr3t@host", "is no URL of Redis"),
            ("redis:host", "redis://HOST:PORT"),
            ("redis://me:s3cr3t@host?prefix=", "1 to 64"),
            ("redis://me:s3cr3t@host?prefix=a{b}", "\"a{b}\""),
            ("redis://me:s3cr3t@host?prefx=a", "no parameter \"prefx\""),
            ("redis://me:s3cr3t@host?Prefix", "no parameter \"Prefix\""),
        ] {
            let why = StoreUrl::read(url).unwrap_err();
            assert!(why.contains(text) && !why.contains("s3cr3t"), "{why}");
        }
    }
}

//! Who may ask.
//!
//! Signatures are not checked: whoever is served can run commands as the user of this process.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

/// Which requests are served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Names, beside those of the loopback interface, by which requests may come: the part of the `Host` header before
    /// the port.
    pub hosts: Vec<String>,
    /// What clients must give as their access key id. With it, requests may come by any name.
    pub token: Option<String>,
}

impl Access {
    /// Whether an address may be listened on.
    ///
    /// # Errors
    ///
    /// With the remedy, where other machines could ask and nothing tells who may.
    pub fn check(&self, host: IpAddr) -> Result<(), String> {
        if host.is_loopback() || !self.hosts.is_empty() || self.token.is_some() {
            return Ok(());
        }
        Err(format!(
            "{host} can be reached from elsewhere, and whoever reaches it could run commands as you; say who may ask with --allow-host NAME (the name by which clients call this machine) or --token TOKEN (their access key id)"
        ))
    }

    /// Why a request is refused; `None` where it is served.
    ///
    /// A page in a browser can POST to this machine too: under a foreign name that it made point here, or as itself,
    /// which the browser then says in `Origin`.
    pub(super) fn refuse(&self, headers: &HeaderMap) -> Option<&'static str> {
        if headers.contains_key(header::ORIGIN) {
            return Some("web pages are not served");
        }
        if let Some(token) = &self.token {
            let is_known = access_key_id(headers).is_some_and(|given| same(given, token));
            return (!is_known)
                .then_some("the access key id is not the token that this endpoint was started with");
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(without_port);
        let is_known = host.is_some_and(|host| {
            ["127.0.0.1", "localhost", "[::1]"].contains(&host)
                || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
        });
        (!is_known).then_some("only programs on this machine are served, by 127.0.0.1 or localhost, and by names given with --allow-host")
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// As in `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/batch/aws4_request, …`.
fn access_key_id(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let credential = authorization.split(['=', ' ', ',']).skip_while(|part| *part != "Credential").nth(1)?;
    credential.split('/').next()
}

/// Compares in a time that tells nothing of the token.
fn same(given: &str, token: &str) -> bool {
    given.len() == token.len() && given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(header::HeaderName, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn signed(key: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={key}/20150830/us-east-1/batch/aws4_request, SignedHeaders=host, Signature=5d67"
        )
    }

    #[test]
    fn only_names_of_this_machine_and_allowed_ones_are_hosts() {
        let access = Access { hosts: vec!["batch.internal".into()], token: None };
        for host in
            ["127.0.0.1", "127.0.0.1:80", "localhost:4566", "[::1]:80", "batch.internal:80", "Batch.Internal"]
        {
            assert_eq!(access.refuse(&headers(&[(header::HOST, host)])), None, "{host}");
        }
        for host in ["example.com", "127.0.0.1.example.com:80", "localhost.example.com", "10.0.0.1:80", ""] {
            assert!(access.refuse(&headers(&[(header::HOST, host)])).is_some(), "{host}");
        }
        assert!(access.refuse(&headers(&[])).is_some());
        let page = [(header::HOST, "localhost"), (header::ORIGIN, "https://example.com")];
        assert!(access.refuse(&headers(&page)).is_some());
    }

    #[test]
    fn a_token_is_the_access_key_id_by_whatever_name() {
        let access = Access { hosts: Vec::new(), token: Some("secret".into()) };
        for (key, served) in [("secret", true), ("secrets", false), ("Secret", false), ("", false)] {
            let asked = headers(&[(header::HOST, "any.name"), (header::AUTHORIZATION, &signed(key))]);
            assert_eq!(access.refuse(&asked).is_none(), served, "{key}");
        }
        assert!(access.refuse(&headers(&[(header::HOST, "localhost")])).is_some());
        let page = [(header::ORIGIN, "https://e.com"), (header::AUTHORIZATION, &signed("secret"))];
        assert!(access.refuse(&headers(&page)).is_some());
    }

    #[test]
    fn another_interface_needs_names_or_a_token() {
        let all: IpAddr = [0, 0, 0, 0].into();
        assert!(Access::default().check(all).unwrap_err().contains("--allow-host"));
        assert!(Access::default().check([127, 0, 0, 1].into()).is_ok());
        assert!(Access { hosts: vec!["batch".into()], token: None }.check(all).is_ok());
        assert!(Access { hosts: Vec::new(), token: Some("t".into()) }.check(all).is_ok());
    }
}

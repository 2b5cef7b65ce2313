//! What jobs get so that their AWS clients talk to this endpoint.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::engine::Variable;

/// A Region that every client knows. The endpoint answers for any.
const REGION: &str = "us-east-1";

/// The access key id where the endpoint asks for no token. AWS refuses it: a job that submits jobs does so here, and never on AWS by accident.
const ACCESS_KEY_ID: &str = "batchwright-local";
const SECRET_ACCESS_KEY: &str = "not-a-secret";

/// The variables by which AWS's clients find the endpoint at an address. They lie below what a person passes on
/// and what the job itself sets.
pub(super) fn client_environment(address: SocketAddr, token: Option<&str>) -> Vec<Variable> {
    let url = format!("http://{}", reachable(address));
    [
        ("AWS_ENDPOINT_URL_BATCH", url.as_str()),
        ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", url.as_str()),
        // The agent of ECS sets it in every container. Metaflow reads it without a default.
        ("AWS_EXECUTION_ENV", "AWS_ECS_EC2"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", token.unwrap_or(ACCESS_KEY_ID)),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into()
}

/// A server on all interfaces is reached by the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_led_to_an_address_that_they_can_reach() {
        for (address, url) in [
            ("127.0.0.1:4567", "http://127.0.0.1:4567"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
        ] {
            let environment = client_environment(address.parse().unwrap(), None);
            for name in ["AWS_ENDPOINT_URL_BATCH", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"] {
                assert!(environment.contains(&(name.into(), url.into())), "{environment:?}");
            }
        }
    }
}

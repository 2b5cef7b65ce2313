//! Who is answered. Whoever is can stop jobs, and start them.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

/// Answers by names of the loopback interface alone: a web page can make a name of its own point here.
pub(super) async fn local(request: Request, next: Next) -> Response {
    if is_by_loopback(request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "ask by 127.0.0.1 or localhost").into_response()
}

/// Answers who gives the token.
pub(super) async fn known(token: Uuid, request: Request, next: Next) -> Response {
    if has_token(request.headers(), token) {
        return next.run(request).await;
    }
    let why =
        "the token is missing or another console's: open the address that `batchwright console` printed";
    (StatusCode::UNAUTHORIZED, why).into_response()
}

fn is_by_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost"].contains(&name)
}

/// Tokens are compared as numbers, which takes the same time for any two.
fn has_token(headers: &HeaderMap, token: Uuid) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
    let given = given.and_then(|given| given.strip_prefix("Bearer ")).map(Uuid::try_parse);
    matches!(given, Some(Ok(given)) if given.as_u128() == token.as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn names_of_the_loopback_interface_are_answered_alone() {
        for (host, answered) in [
            ("127.0.0.1:80", true),
            ("localhost", true),
            ("localhost:4000", true),
            ("localhost.example.com:80", false),
            ("example.com", false),
            ("", false),
        ] {
            assert_eq!(is_by_loopback(&headers(header::HOST, host)), answered, "{host}");
        }
        assert!(!is_by_loopback(&HeaderMap::new()));
    }

    #[test]
    fn the_token_is_given_as_a_bearer_does() {
        let token = Uuid::from_u128(7);
        for (given, answered) in [
            (format!("Bearer {token}"), true),
            (format!("Bearer {}", Uuid::from_u128(8)), false),
            (format!("Basic {token}"), false),
            (token.to_string(), false),
            ("Bearer ".to_owned(), false),
        ] {
            assert_eq!(has_token(&headers(header::AUTHORIZATION, &given), token), answered, "{given}");
        }
        assert!(!has_token(&HeaderMap::new(), token));
    }
}

//! The HTTP client of every AWS client: hyper's, because the SDK's own neither probes idle sockets nor lets the roots of TLS be
//! read when they are needed.

mod connect;
mod trust;

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use connect::Connect;
pub use trust::Roots;

/// How long a connection that nobody uses is kept. The services close theirs later: a call on one that
/// is closed already ends as a lost answer, which costs a `SubmitJob` its claim.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Connections that are shared by all clients of one configuration.
#[derive(Debug, Clone)]
pub(super) struct Http {
    roots: Roots,
    /// One pool a connect time-out: the providers of credentials ask for a shorter one than the services.
    pools: Arc<Mutex<Pools>>,
}

type Pool = Client<Connect, SdkBody>;
type Pools = Vec<(Option<Duration>, Pool)>;

impl Http {
    pub(super) fn new(roots: Roots) -> Self {
        Self { roots, pools: Arc::default() }
    }

    fn pool(&self, connect_timeout: Option<Duration>) -> Pool {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(timeout, _)| *timeout == connect_timeout) {
            return pool.clone();
        }
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(Connect::new(self.roots, connect_timeout));
        pools.push((connect_timeout, pool.clone()));
        pool
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(OverPool {
            pool: self.pool(settings.connect_timeout()),
            read_timeout: settings.read_timeout(),
        })
    }
}

#[derive(Debug)]
struct OverPool {
    pool: Pool,
    /// From the request until the head of its answer.
    read_timeout: Option<Duration>,
}

impl HttpConnector for OverPool {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let (answer, read_timeout) = (self.pool.request(request), self.read_timeout);
        HttpConnectorFuture::new(async move {
            let answer = match read_timeout {
                None => answer.await,
                Some(after) => tokio::time::timeout(after, answer)
                    .await
                    .map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?,
            };
            let answer = answer.map_err(connector_error)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// By which the SDK closes a connection on which an attempt failed, so that the next one gets another.
fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    connection.connection_metadata().as_ref()?;
    let connection = connection.clone();
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// The kinds by which the SDK's retries go: I/O and time-outs are tried again.
fn connector_error(error: ClientError) -> ConnectorError {
    let (is_connect, error) = (error.is_connect(), BoxError::from(error));
    if source::<tokio::time::error::Elapsed>(&*error).is_some() {
        return ConnectorError::timeout(error);
    }
    if is_connect || source::<std::io::Error>(&*error).is_some() {
        return ConnectorError::io(error);
    }
    match source::<hyper::Error>(&*error) {
        Some(of_hyper) if of_hyper.is_user() => ConnectorError::user(error),
        Some(of_hyper) if of_hyper.is_closed() || of_hyper.is_canceled() => ConnectorError::io(error),
        // A connection that ends before its answer: S3 does that.
        Some(of_hyper) if of_hyper.is_incomplete_message() => {
            ConnectorError::other(error, Some(ErrorKind::TransientError))
        }
        _ => ConnectorError::other(error, None),
    }
}

fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An I/O error's source is that of what it wraps, which is skipped by it.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = error.downcast_ref().or_else(|| wrapped.and_then(|error| error.downcast_ref())) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests;

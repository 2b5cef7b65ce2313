//! How a connection is made.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::trust::{Roots, tls};

/// How long a socket is silent before it is probed. A NAT gateway of AWS drops a connection after 350 s of silence, an AWS load
/// balancer after 60 s or 350 s; a function may run for 900 s before it says a word.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html>
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(45);

/// How far apart probes are after the first.
pub(super) const PROBES_APART: Duration = Duration::from_secs(15);

/// Makes connections for a pool.
#[derive(Debug, Clone)]
pub(super) struct Connect {
    tcp: HttpConnector,
    roots: Roots,
    /// Until the connection stands, TLS and all.
    timeout: Option<Duration>,
}

impl Connect {
    pub(super) fn new(roots: Roots, timeout: Option<Duration>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(PROBES_APART));
        Self { tcp, roots, timeout }
    }

    fn connect(&mut self, uri: Uri) -> Connecting {
        if uri.scheme_str() == Some("https") {
            return match tls(self.roots, uri.host().unwrap_or_default()) {
                Ok(tls) => HttpsConnector::from((self.tcp.clone(), tls)).call(uri),
                Err(error) => Box::pin(std::future::ready(Err(io::Error::other(error).into()))),
            };
        }
        let connected = self.tcp.call(uri);
        Box::pin(async { Ok(MaybeHttpsStream::Http(connected.await?)) })
    }
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type Connecting = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

impl Service<Uri> for Connect {
    type Response = Stream;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(BoxError::from)
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let connecting = self.connect(uri);
        match self.timeout {
            None => connecting,
            Some(after) => Box::pin(async move { tokio::time::timeout(after, connecting).await? }),
        }
    }
}

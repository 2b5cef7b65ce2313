//! Requests that take no time of a paused clock.
//!
//! tokio moves a paused clock on as soon as nothing can run, also while an answer is on its way over a socket: each
//! time-out would strike at once. It does not while a blocking task is under way, so each request is one, on a runtime
//! whose clock goes.

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::runtime::Handle;

use crate::metered::taken;

/// A configuration whose requests are made on a runtime of their own.
///
/// # Panics
///
/// Where the configuration has no HTTP client: the one client factory sets one.
pub fn through(config: &SdkConfig, runtime: Handle) -> SdkConfig {
    let inner = config.http_client().expect("the one client factory sets one");
    config.to_builder().http_client(Aside { inner, runtime }).build()
}

#[derive(Debug, Clone)]
struct Aside<T> {
    inner: T,
    runtime: Handle,
}

impl HttpClient for Aside<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Aside { inner, runtime: self.runtime.clone() })
    }
}

impl HttpConnector for Aside<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        let call = move || {
            let answer = async { taken(this.inner.call(request).await?).await.map(|(answer, _)| answer) };
            this.runtime.block_on(answer)
        };
        HttpConnectorFuture::new(async move {
            let called = tokio::task::spawn_blocking(call).await;
            called.map_err(|error| ConnectorError::other(error.into(), None))?
        })
    }
}

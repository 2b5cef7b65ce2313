//! Attempts that are given up where nothing moves, however long they take.
//!
//! A time-out on the whole attempt, which the other clients have, ends every upload of a part on a slow link: 8 MiB take
//! 36 s at 230 kB/s. The SDK's own read time-out runs while the body is still being sent, and so does the same.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::{Error, SdkBody};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};
use tokio_util::bytes::Bytes;

/// Bytes that are handed to the connection at once: what a link has to pass within the patience.
const FRAME_BYTES: usize = 16 * 1024;

/// Patience where the settings name none.
const PATIENCE: Duration = Duration::from_secs(30);

/// An HTTP client that gives an attempt up when for the settings' read time-out neither a byte of the request was
/// taken nor the answer came.
#[derive(Debug)]
pub(in crate::aws) struct WithProgress<T>(pub(in crate::aws) T);

#[derive(Debug)]
struct Watched {
    inner: SharedHttpConnector,
    patience: Duration,
}

impl HttpClient for WithProgress<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let mut inner = HttpConnectorSettings::builder();
        inner.set_connect_timeout(settings.connect_timeout());
        let inner = self.0.http_connector(&inner.build(), components);
        SharedHttpConnector::new(Watched { inner, patience: settings.read_timeout().unwrap_or(PATIENCE) })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

impl HttpConnector for Watched {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let moved = Moved::default();
        let body = std::mem::replace(request.body_mut(), SdkBody::taken());
        let watched = moved.clone();
        *request.body_mut() = body.map_preserve_contents(move |body| {
            SdkBody::from_body_1_x(Slices { body: Box::pin(body), held: None, moved: watched.clone() })
        });
        let (call, patience) = (self.inner.call(request), self.patience);
        HttpConnectorFuture::new(async move {
            tokio::select! {
                answer = call => answer,
                () = moved.stalled(patience) => {
                    let why = format!("nothing was sent or received for {} s", patience.as_secs());
                    Err(ConnectorError::timeout(why.into()))
                }
            }
        })
    }
}

/// When a byte was last taken.
#[derive(Debug, Clone)]
struct Moved(Arc<Mutex<Instant>>);

impl Default for Moved {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Moved {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    async fn stalled(&self, patience: Duration) {
        loop {
            let end = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + patience;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// A body in slices. One that is held in memory would be taken at once, long before the link has passed it.
struct Slices {
    body: Pin<Box<SdkBody>>,
    held: Option<Bytes>,
    moved: Moved,
}

impl Body for Slices {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.moved.now();
        let mut bytes = match self.held.take() {
            Some(bytes) => bytes,
            None => match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            },
        };
        let slice = bytes.split_to(bytes.len().min(FRAME_BYTES));
        self.held = Some(bytes).filter(|rest| !rest.is_empty());
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.as_ref().map_or(0, Bytes::len) as u64;
        match self.body.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(held + rest),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::http::StatusCode;

    use super::*;

    /// Takes so many frames, one a second, and answers, or stands still.
    #[derive(Debug, Clone, Copy)]
    struct Slow {
        stalls_after: usize,
    }

    impl HttpConnector for Slow {
        fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
            let stalls_after = self.stalls_after;
            HttpConnectorFuture::new(async move {
                let (mut body, mut bytes, mut frames) = (request.take_body(), 0, 0);
                while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                    bytes += frame.unwrap().into_data().unwrap().len();
                    frames += 1;
                    if frames == stalls_after {
                        std::future::pending::<()>().await;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                let answer = SdkBody::from(format!("{bytes} in {frames}"));
                Ok(HttpResponse::new(StatusCode::try_from(200).unwrap(), answer))
            })
        }
    }

    async fn sent(stalls_after: usize, body: &[u8]) -> Result<String, ConnectorError> {
        let inner = SharedHttpConnector::new(Slow { stalls_after });
        let watched = Watched { inner, patience: Duration::from_secs(30) };
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_uri("http://127.0.0.1/").unwrap();
        let answer = watched.call(request).await?;
        Ok(String::from_utf8(answer.body().bytes().unwrap().to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_may_take_as_long_as_it_moves() {
        let body = vec![7; 8 * 1024 * 1024 + 1];
        assert_eq!(sent(usize::MAX, &body).await.unwrap(), "8388609 in 513");
        assert_eq!(sent(usize::MAX, b"").await.unwrap(), "0 in 0");
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_stands_still_is_given_up() {
        for stalls_after in [1, 200] {
            let started = Instant::now();
            let error = sent(stalls_after, &vec![7; 8 * 1024 * 1024]).await.unwrap_err();
            assert!(error.is_timeout(), "{error}");
            assert_eq!(started.elapsed().as_secs(), 30 + stalls_after as u64 - 1);
        }
    }
}

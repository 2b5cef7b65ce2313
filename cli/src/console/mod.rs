//! The page about runs and jobs, live: served on the loopback interface, to whoever has the token.

mod acts;
mod guard;
mod news;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use batchwright::domain::JobName;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

pub(crate) use self::acts::Acts;
use self::acts::Asked;
pub(crate) use self::news::{Known, News};
use crate::environment;
use crate::exit::Failure;
use crate::report::live_page;

/// Questions that wait for the store.
const WAITING_MAX: usize = 64;

/// JSON, or a sentence that says why there is none.
pub(crate) type Reply = oneshot::Sender<Result<String, String>>;

/// What answers requests: everything but the store, which stays with the caller.
pub(crate) struct Console {
    listener: TcpListener,
    token: Uuid,
    page: String,
    acts: Arc<Acts>,
    news: mpsc::Sender<(Known, Reply)>,
    explanations: mpsc::Sender<(JobName, Reply)>,
}

/// What requests share.
#[derive(Clone)]
struct Shared {
    page: Arc<str>,
    acts: Option<Arc<Acts>>,
    news: mpsc::Sender<(Known, Reply)>,
    explanations: mpsc::Sender<(JobName, Reply)>,
}

/// What the page asks of the store. Each kind waits for itself alone, because a look at a large table takes long.
pub(crate) struct Questions {
    /// What has changed since it last asked.
    pub(crate) news: mpsc::Receiver<(Known, Reply)>,
    /// Why a job is where it is.
    pub(crate) explanations: mpsc::Receiver<(JobName, Reply)>,
}

impl Console {
    /// Listens on the loopback interface: requests wait until they are served.
    pub(crate) async fn open(port: u16, acts: Arc<Acts>) -> Result<(Self, Questions), Failure> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::Rejected(format!("{address} can't be listened on: {error}; give another --port"))
        })?;
        let (news, asked_news) = mpsc::channel(WAITING_MAX);
        let (explanations, asked_explanations) = mpsc::channel(WAITING_MAX);
        let page = live_page(acts.is_read_only());
        let questions = Questions { news: asked_news, explanations: asked_explanations };
        Ok((Self { listener, token: environment::token(), page, acts, news, explanations }, questions))
    }

    /// The address to open. The token stands behind the `#`: no browser sends that part to a server, and no log has it.
    pub(crate) fn url(&self) -> std::io::Result<String> {
        Ok(format!("http://{}/#token={}", self.listener.local_addr()?, self.token))
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self) -> std::io::Result<()> {
        let Self { listener, token, page, acts, news, explanations } = self;
        let acts = (!acts.is_read_only()).then_some(acts);
        let shared = Shared { page: page.into(), acts, news, explanations };
        let guarded = Router::new()
            .route("/data", get(data))
            .route("/explain", get(explain))
            .route("/act", post(act))
            .layer(middleware::from_fn(move |request, next| guard::known(token, request, next)));
        let app = Router::new()
            .route("/", get(page_of))
            .merge(guarded)
            .layer(middleware::from_fn(guard::local))
            .with_state(shared);
        axum::serve(listener, app).await
    }
}

/// The page holds nothing that is secret: whoever has no token sees it empty.
async fn page_of(State(shared): State<Shared>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (headers, shared.page.to_string()).into_response()
}

async fn data(State(shared): State<Shared>, Query(known): Query<Known>) -> Response {
    answered(&shared.news, known).await
}

#[derive(Deserialize)]
struct OfJob {
    job: String,
}

async fn explain(State(shared): State<Shared>, Query(OfJob { job }): Query<OfJob>) -> Response {
    match JobName::parse(&job) {
        Ok(name) => answered(&shared.explanations, name).await,
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn answered<Q>(to: &mpsc::Sender<(Q, Reply)>, question: Q) -> Response {
    let (reply, answer) = oneshot::channel();
    let asked = to.send((question, reply)).await;
    match (asked, answer.await) {
        (Ok(()), Ok(Ok(json))) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        (Ok(()), Ok(Err(why))) => (StatusCode::BAD_GATEWAY, why).into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the console is ending").into_response(),
    }
}

async fn act(State(shared): State<Shared>, Json(asked): Json<Asked>) -> Response {
    let Some(acts) = shared.acts else {
        return (StatusCode::FORBIDDEN, "this console was started with --read-only").into_response();
    };
    match acts.begin(&asked) {
        Ok(()) => (StatusCode::ACCEPTED, Json(serde_json::json!({}))).into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, why).into_response(),
    }
}

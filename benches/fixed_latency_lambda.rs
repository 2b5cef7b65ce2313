//! A Lambda endpoint for measurements: answers every `Invoke` after a fixed time. Prints its address, and ends
//! with its standard input.
//!
//! `fixed-latency-lambda MILLISECONDS`

use std::io::Read as _;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;

const ANSWER: &[u8] = br#"{"done":true}"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let millis = std::env::args().nth(1).context("say how many milliseconds an answer takes")?;
    let latency = Duration::from_millis(millis.parse()?);
    let answer = move |_: Bytes| async move {
        tokio::time::sleep(latency).await;
        ([("x-amz-executed-version", "$LATEST")], Bytes::from_static(ANSWER))
    };
    let router = Router::new().route("/2015-03-31/functions/{function}/invocations", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        served = axum::serve(listener, router) => Ok(served?),
        _ = ended => Ok(()),
    }
}

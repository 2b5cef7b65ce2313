//! One function of AWS Lambda called with many payloads at once, each once, by a program that may be stopped and started
//! again.
//!
//! `cargo run -p batchwright --example fan_out --features aws -- my-function`

use batchwright::fan_out::FanOutCall;
use batchwright::{Config, Functions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(function) = std::env::args().nth(1) else { return Err("give the name of a function".into()) };
    let call =
        FanOutCall { concurrency: Some(3), max_attempts: Some(4), ..FanOutCall::new(function, 1..=5)? };
    let functions = Functions::connect(&Config::default()).await;
    // Ctrl-C: nothing more is sent, and what was sent is waited for.
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    // A line of JSON for each payload, in the order of the list. The same call with the same file goes on.
    let done = functions.fan_out(&call, "results.jsonl", interrupted).await?;
    println!("{} succeeded, {} not begun", done.counts.succeeded, done.not_begun);
    Ok(())
}

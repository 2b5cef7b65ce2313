//! One function of AWS Lambda called with many payloads at once, each once.
//!
//! `cargo run -p batchwright --example fan_out --features aws -- my-function`

use std::future::pending;

use batchwright::aws::{Connection, LambdaCaller, connect};
use batchwright::fan_out::{Targets, read_call};
use batchwright::use_cases::fan_out::{Plain, Start, Stop, StreamedLedger, inline, invoke_all};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(function) = std::env::args().nth(1) else { return Err("give the name of a function".into()) };
    // The same words as the fan-out function and `batchwright invoke` take.
    let call = format!(
        r#"{{"functionName": {function:?}, "payloads": [1, 2, 3, 4, 5], "concurrency": 3, "maxAttempts": 4}}"#
    );
    let order = read_call(&call)?.check(&Targets::any())?;
    let items = inline(&order.source, &order.terms, 0, None).ok_or("the payloads lie elsewhere")?;

    let caller = LambdaCaller::new(&connect(&Connection::default()).await);
    // A line of JSON for each payload, in the order of the list.
    let results = StreamedLedger::new(Plain(tokio::io::stdout()));
    // Ctrl-C: nothing more is sent, and what was sent is waited for.
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    let stop = Stop { starting: interrupted, waiting: pending(), counts_rest: true };
    let came = invoke_all(&caller, &results, items, &order.terms, Start::default(), stop).await?;
    eprintln!("{:?}", came.ended);
    Ok(())
}

//! The floor of `batchwright invoke`: one `Invoke` for each payload of a file, a line each, by AWS's SDK and the program's allocator
//! alone, so many at once. Writes what each answered, a line each. `benches/invoke.py` sets it beside the clients.
//!
//!     invoke-floor PAYLOADS ENDPOINT OUT CONCURRENCY

use std::env::args;
use std::error::Error;
use std::fs;

use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::primitives::Blob;
use batchwright::aws::{Connection, connect};
use batchwright::function::environment;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = args().skip(1).collect();
    let [payloads, endpoint, out, concurrency] = &given[..] else {
        return Err("give PAYLOADS ENDPOINT OUT CONCURRENCY".into());
    };
    let aws = connect(&Connection::of_function(&environment)).await;
    let client = &aws_sdk_lambda::Client::from_conf(Builder::from(&aws).endpoint_url(endpoint).build());
    let payloads = fs::read_to_string(payloads)?;
    let calls = stream::iter(payloads.lines()).map(async |payload| {
        let answer = client.invoke().function_name("task").payload(Blob::new(payload)).send().await?;
        let status = answer.status_code;
        let body = answer.payload.map(Blob::into_inner).unwrap_or_default();
        Ok::<_, Box<dyn Error>>(format!("{status} {}\n", String::from_utf8_lossy(&body)))
    });
    let lines: Vec<String> = calls.buffer_unordered(concurrency.parse()?).try_collect().await?;
    fs::write(out, lines.concat())?;
    Ok(())
}

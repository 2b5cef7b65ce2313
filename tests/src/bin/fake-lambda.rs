//! The tests' Lambda endpoint as a process, for `benches/fates.py`. It prints its URL, and then does what each line of
//! its input says, until that ends:
//!
//! - `room N`: so many functions may run at once from now on.
//! - `seen`: prints what was seen so far as a line of JSON.

use std::io::stdin;

use batchwright_tests::fake_lambda::FakeLambda;
use serde_json::json;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let server = FakeLambda::start().await?;
    println!("{}", server.endpoint_url());
    // The runtime's other thread serves.
    for line in stdin().lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("room", room)) => server.set_room(room.parse()?),
            _ => {
                let seen = server.seen();
                println!(
                    "{}",
                    json!({"requests": seen.requests, "refused": seen.refused, "peak": seen.peak, "ran": seen.ran})
                );
            }
        }
    }
    Ok(())
}

//! The floor of HEAD: `HeadObject` of each name of a file, by AWS's SDK and the program's allocator alone, so many at once. Writes a line
//! a name, whether it is there. `benches/objects.py` sets it beside the clients.
//!
//!     head-floor NAMES ENDPOINT OUT CONCURRENCY

use std::env::args;
use std::error::Error;
use std::fs;

use aws_sdk_s3::config::Builder;
use batchwright::aws::{Connection, connect};
use batchwright::function::environment;
use futures_util::stream::{self, StreamExt as _};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = args().skip(1).collect();
    let [names, endpoint, out, concurrency] = &given[..] else {
        return Err("give NAMES ENDPOINT OUT CONCURRENCY".into());
    };
    let aws = connect(&Connection::of_function(&environment)).await;
    let config = Builder::from(&aws).endpoint_url(endpoint).force_path_style(true).build();
    let client = &aws_sdk_s3::Client::from_conf(config);
    let names = fs::read_to_string(names)?;
    let places = names.lines().filter_map(|uri| Some((uri, uri.strip_prefix("s3://")?.split_once('/')?)));
    let found = stream::iter(places).map(async |(uri, (bucket, key))| {
        let is_there = client.head_object().bucket(bucket).key(key).send().await.is_ok();
        format!("{uri} {is_there}\n")
    });
    let lines: Vec<String> = found.buffer_unordered(concurrency.parse()?).collect().await;
    fs::write(out, lines.concat())?;
    Ok(())
}

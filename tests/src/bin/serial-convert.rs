//! Converts one file to another, for `benches/convert.py`: `serial-convert FROM TO`, formats by suffix.

use anyhow::Context as _;
use batchwright::ports::ObjectWriter as _;
use batchwright::serial::{AsyncSink, ConvertOptions, Format, convert};
use tokio::fs::File;
use tokio::io::BufReader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else { anyhow::bail!("say serial-convert FROM TO") };
    let reader = BufReader::with_capacity(1 << 20, File::open(from).await.with_context(|| from.clone())?);
    let mut sink = AsyncSink(File::create(to).await.with_context(|| to.clone())?);
    let (from, to) = (Format::of_name(from)?, Format::of_name(to)?);
    let report = convert(reader, from, &mut sink, to, &ConvertOptions::default()).await?;
    sink.finish().await?;
    println!("{} {} {} {}", report.records, report.bytes_in, report.bytes_out, report.sha256);
    Ok(())
}

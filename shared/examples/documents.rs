//! Documents of S3 as serde types, in whatever format the key's suffix tells.
//!
//! `cargo run -p batchwright --example documents --features aws,serializer -- s3://my-bucket/heights.jsonl.gz`

use batchwright::domain::S3Uri;
use batchwright::{Config, Documents};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Peak {
    name: String,
    metres: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(uri) = std::env::args().nth(1) else {
        return Err(
            "give an S3 URI that ends in .json, .jsonl, .yaml or one of these with .gz or .zst".into()
        );
    };
    let uri: S3Uri = uri.parse()?;
    let documents = Documents::connect(&Config::default()).await;
    let peaks = [("Mont Blanc", 4_806), ("Mount Everest", 8_849)]
        .map(|(name, metres)| Peak { name: name.to_owned(), metres });
    documents.dump(&uri, &peaks).await?;

    let read: Vec<Peak> = documents.load(&uri).await?;
    for Peak { name, metres } in read {
        println!("{name}: {metres} m");
    }
    Ok(())
}

//! What somebody writes first: a few lines over the library, which have to compile without anything of ours.

/// Over S3 itself the compiler once refused this without a recursion limit.
#[cfg(all(feature = "aws", feature = "client", feature = "serializer"))]
pub async fn write_and_read(uri: &str) -> Result<Vec<u32>, Box<dyn std::error::Error + Send + Sync>> {
    let documents = batchwright::Documents::connect(&batchwright::Config::default()).await;
    let uri: batchwright::domain::S3Uri = uri.parse()?;
    documents.dump(&uri, &vec![4_810, 8_849]).await?;
    Ok(documents.load(&uri).await?)
}

/// A future that is sent to another thread, over a store chosen at run time.
#[cfg(feature = "client")]
pub fn counted(url: String) -> impl Future<Output = Result<u64, Box<dyn std::error::Error + Send + Sync>>> + Send {
    use batchwright::ports::JobQueries as _;

    async move { Ok(batchwright::store::open(&url).await?.count_by_status().await?.total()) }
}

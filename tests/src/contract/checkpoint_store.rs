//! What every [`CheckpointStore`] must do.

use anyhow::Context as _;
use batchwright::ports::{CheckpointStore, Version};

use super::run_cases;

/// Runs the suite on stores that `make` makes, each of them empty.
pub async fn holds<S: CheckpointStore>(make: impl AsyncFn() -> anyhow::Result<S>) -> anyhow::Result<()> {
    run_cases!(
        make;
        what_was_saved_is_loaded_with_its_version,
        only_the_first_makes_it,
        only_who_has_read_the_latest_saves,
    )
}

async fn saved<S: CheckpointStore>(store: &S, text: &str, over: Option<&Version>) -> anyhow::Result<Version> {
    store.save("a/checkpoint.json", text.as_bytes(), over).await?.context("it was refused")
}

async fn what_was_saved_is_loaded_with_its_version<S: CheckpointStore>(store: &S) -> anyhow::Result<()> {
    assert_eq!(store.load("a/checkpoint.json").await?, None);
    let first = saved(store, "1", None).await?;
    let found = store.load("a/checkpoint.json").await?.context("it is absent")?;
    assert_eq!((found.bytes.as_slice(), &found.version), (&b"1"[..], &first));
    let second = saved(store, "2", Some(&found.version)).await?;
    let found = store.load("a/checkpoint.json").await?.context("it is absent")?;
    assert_eq!((found.bytes.as_slice(), found.version), (&b"2"[..], second));
    Ok(())
}

async fn only_the_first_makes_it<S: CheckpointStore>(store: &S) -> anyhow::Result<()> {
    let first = saved(store, "1", None).await?;
    assert_eq!(store.save("a/checkpoint.json", b"2", None).await?, None);
    assert_eq!(store.load("a/checkpoint.json").await?.context("it is absent")?.version, first);
    Ok(())
}

async fn only_who_has_read_the_latest_saves<S: CheckpointStore>(store: &S) -> anyhow::Result<()> {
    let first = saved(store, "1", None).await?;
    let second = saved(store, "2", Some(&first)).await?;
    assert_eq!(store.save("a/checkpoint.json", b"3", Some(&first)).await?, None);
    let found = store.load("a/checkpoint.json").await?.context("it is absent")?;
    assert_eq!((found.bytes.as_slice(), found.version), (&b"2"[..], second));
    let elsewhere = store.save("b/checkpoint.json", b"1", Some(&first)).await?;
    assert_eq!(elsewhere, None, "what is not there has no version");
    Ok(())
}

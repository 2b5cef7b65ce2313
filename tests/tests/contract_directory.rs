//! A directory keeps the object store's contract.

use batchwright::directory::DirectoryObjectStore;
use batchwright_tests::contract::object_store;

#[tokio::test]
async fn a_directory_keeps_the_contract() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    object_store::holds(async || {
        let root = tempfile::tempdir_in(scratch.path())?.keep();
        Ok(DirectoryObjectStore::new(&root))
    })
    .await
}

//! Redis keeps the contracts of the job store and the run store, over the wire. It is opened by its URL, with a
//! password, with TLS, and not where it would forget.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use batchwright::ports::{ErrorKind, JobQueries as _, JobRemoval as _, PortError};
use batchwright::redis::RedisStore;
use batchwright_tests::contract::fixtures::{name, submit};
use batchwright_tests::contract::{job_store, run_store};
use batchwright_tests::emulators::redis::Redis;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_the_job_stores_contract() -> anyhow::Result<()> {
    let Some(redis) = Redis::shared()? else { return Ok(()) };
    job_store::holds(async || Ok(RedisStore::open(&redis.new_store()).await?)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_the_run_stores_contract() -> anyhow::Result<()> {
    let Some(redis) = Redis::shared()? else { return Ok(()) };
    run_store::holds(async || Ok(RedisStore::open(&redis.new_store()).await?)).await
}

#[tokio::test]
async fn stores_of_one_server_are_apart_by_their_prefix_and_chosen_by_a_url() -> anyhow::Result<()> {
    let Some(redis) = Redis::shared()? else { return Ok(()) };
    let (one, other) = (redis.new_store(), redis.new_store());
    submit(&batchwright::store::open(&one).await?, "a", "a-1").await?;
    assert!(batchwright::store::open(&one).await?.job(&name("a")).await?.is_some());
    assert!(batchwright::store::open(&other).await?.job(&name("a")).await?.is_none());
    Ok(())
}

/// The error of opening a URL, and that it shows no password.
async fn refusal(url: &str) -> anyhow::Result<PortError> {
    let error = RedisStore::open(url).await.err().with_context(|| format!("{url} was opened"))?;
    ensure!(!error.to_string().contains("s3cr3t"), "{error} shows the password");
    Ok(error)
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_says_what_to_write() -> anyhow::Result<()> {
    let Some(redis) = Redis::start(&["--requirepass", "s3cr3t"])? else { return Ok(()) };
    let address = redis.server().address();
    submit(&RedisStore::open(&format!("redis://:s3cr3t@{address}")).await?, "a", "a-1").await?;
    for url in [format!("redis://:s3cr3tly@{address}"), format!("redis://{address}")] {
        let error = refusal(&url).await?;
        assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
        assert!(error.message.contains("redis://USER:PASSWORD@HOST"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_evicts_or_holds_newer_records_is_refused() -> anyhow::Result<()> {
    let settings = ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"];
    let Some(evicting) = Redis::start(&settings)? else { return Ok(()) };
    let error = refusal(&evicting.new_store()).await?;
    assert!(error.kind == ErrorKind::Permanent && error.message.contains("noeviction"), "{error}");

    let Some(redis) = Redis::shared()? else { return Ok(()) };
    let client = redis::Client::open(format!("redis://{}", redis.server().address()))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    for (prefix, version, text) in [("newer", "2", "has format version 2"), ("other", "x", "another prefix")]
    {
        let key = format!("{{{prefix}}}:format");
        redis::cmd("SET").arg(key).arg(version).exec_async(&mut connection).await?;
        let error = refusal(&format!("redis://{}?prefix={prefix}", redis.server().address())).await?;
        assert!(error.kind == ErrorKind::Permanent && error.message.contains(text), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_without_room_lets_jobs_be_looked_at_and_removed() -> anyhow::Result<()> {
    let Some(redis) = Redis::start(&[])? else { return Ok(()) };
    let url = redis.new_store();
    submit(&RedisStore::open(&url).await?, "a", "a-1").await?;
    let client = redis::Client::open(format!("redis://{}", redis.server().address()))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1mb"]).exec_async(&mut connection).await?;
    let store = RedisStore::open(&url).await?;
    assert!(store.job(&name("a")).await?.is_some());
    let error = submit(&store, "b", "b-1").await.err().context("there is no room")?;
    assert!(format!("{error:#}").contains("remove jobs, or raise maxmemory"), "{error:#}");
    store.remove_job(&name("a")).await?;
    assert!(store.job(&name("a")).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_gone_may_be_asked_again_later() -> anyhow::Result<()> {
    let Some(redis) = Redis::start(&[])? else { return Ok(()) };
    let url = redis.new_store();
    let store = RedisStore::open(&url).await?;
    store.ping().await?;
    drop(redis);
    assert_eq!(store.ping().await.map_err(|error| error.kind), Err(ErrorKind::Retryable));
    let error = store.job(&name("a")).await.err().context("the server is gone")?;
    assert_eq!(error.kind, ErrorKind::Retryable, "{error}");
    assert_eq!(refusal(&url).await?.kind, ErrorKind::Retryable);
    Ok(())
}

#[tokio::test]
async fn a_record_that_is_damaged_ends_no_list() -> anyhow::Result<()> {
    let Some(redis) = Redis::shared()? else { return Ok(()) };
    let url = redis.new_store();
    let store = RedisStore::open(&url).await?;
    submit(&store, "a", "a-1").await?;
    submit(&store, "b", "b-1").await?;
    let prefix = url.split_once("prefix=").context("a store without a prefix")?.1;
    let mut connection = redis::Client::open(url.as_str())?.get_multiplexed_async_connection().await?;
    let key = format!("{{{prefix}}}:job:a");
    redis::cmd("SET").arg(&key).arg("{").exec_async(&mut connection).await?;
    let page = store.jobs(None, None).await?;
    assert_eq!(page.items.iter().map(|job| job.name().as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(page.unreadable.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), [key.as_str()]);
    let error = store.job(&name("a")).await.err().context("a damaged record was read")?;
    assert!(error.kind == ErrorKind::Permanent && error.message.contains(&key), "{error}");
    Ok(())
}

/// Where the program of the test that is started again finds its server.
const TLS_URL: &str = "BATCHWRIGHT_TEST_REDIS_TLS";

/// A certificate for 127.0.0.1 that signs itself, and its key.
fn certificate(folder: &Path) -> anyhow::Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-keyout", "key.pem", "-out", "certificate.pem"]).current_dir(folder);
    let output = openssl.output().with_context(|| format!("starting {openssl:?}"))?;
    ensure!(output.status.success(), "{openssl:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[tokio::test]
async fn a_server_with_tls_is_trusted_by_its_certificate_alone() -> anyhow::Result<()> {
    if let Some(url) = std::env::var_os(TLS_URL) {
        let url = url.into_string().ok().context("the URL is no text")?;
        submit(&RedisStore::open(&url).await?, "a", "a-1").await?;
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: this machine has no openssl to make a certificate with");
        return Ok(());
    }
    certificate(folder.path())?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (own, key) = (path("certificate.pem"), path("key.pem"));
    let settings = ["--tls-cert-file", &own, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let Some(redis) = Redis::start(&settings)? else { return Ok(()) };
    let url = redis.new_store().replace("redis://", "rediss://");

    // The system's certificates are read from the environment, which is another program's to change.
    let mut again = Command::new(std::env::current_exe()?);
    again.args(["--exact", "a_server_with_tls_is_trusted_by_its_certificate_alone"]);
    let output = again.env(TLS_URL, &url).env("SSL_CERT_FILE", &own).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let error = refusal(&url).await?;
    assert!(error.message.contains("certificate"), "{error}");
    Ok(())
}

//! Batch over HTTP: AWS's SDK, a network that fails, and this project's own endpoint over the simulated engine.

use std::path::Path;

use batchwright::aws::BatchJobEngine;
use batchwright::engine::{LocalEngine, VirtualClock};
use batchwright::wire::{WireError, serve_engine};
use batchwright_tests::emulators::sdk_config;
use batchwright_tests::fault_proxy::{Fault, FaultProxy};
use batchwright_tests::paused_clock;
use batchwright_tests::world::START;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// As the endpoint tells of its compute environment.
const VCPUS: u32 = 2_000;

pub(crate) struct Wire {
    /// The client.
    pub(crate) engine: BatchJobEngine,
    server: JoinHandle<Result<(), WireError>>,
    _proxy: FaultProxy,
}

impl Wire {
    /// Serves an engine on a runtime whose clock goes. `fate`: what becomes of a request, by its line.
    pub(crate) async fn start(
        runtime: &Handle,
        engine: LocalEngine,
        folder: &Path,
        fate: impl Fn(&str) -> Fault + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let folder = folder.to_owned();
        let started = runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let url = format!("http://{}", listener.local_addr()?);
            let clock = VirtualClock::starting_at(START);
            let serving = async move { serve_engine(listener, engine, &folder, VCPUS, clock).await };
            let server = tokio::spawn(serving);
            let proxy = FaultProxy::choosing(&url, fate).await?;
            let config = sdk_config(proxy.endpoint_url()).await?;
            anyhow::Ok((server, proxy, config))
        });
        let (server, proxy, config) = started.await??;
        let config = paused_clock::through(&config, runtime.clone());
        let engine = BatchJobEngine::new(aws_sdk_batch::Client::new(&config));
        Ok(Self { engine, server, _proxy: proxy })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.server.abort();
    }
}

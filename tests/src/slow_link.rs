//! A slow link between a client and an endpoint: bytes pass both ways at so many a second, or come to a stand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// How far a link falls behind and still catches up.
const LATE: Duration = Duration::from_millis(500);

/// Bytes that pass at once.
const SLICE_BYTES: usize = 4 * 1024;

/// What this side holds of a connection.
const BUFFER_BYTES: u32 = 16 * 1024;

/// The longest segment, as on Ethernet. The client's system holds the more the longer they are: 4 MB of those of the loopback
/// device, so that a body of that length is gone at once, however slow the link; 0.7 MB of these.
const SEGMENT_BYTES: u32 = 1_400;

/// Passes connections on. It ends when it is dropped.
#[derive(Debug)]
pub struct SlowLink {
    endpoint_url: String,
    connections: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl SlowLink {
    /// A link to an endpoint that passes so many bytes a second each way. The first connection is cut off from the
    /// network behind so many bytes to the endpoint, where that is given: nothing passes any more, and nothing tells.
    pub async fn start(
        endpoint_url: &str,
        bytes_per_second: usize,
        first_stands_still_after: Option<usize>,
    ) -> anyhow::Result<Self> {
        let upstream: SocketAddr =
            endpoint_url.strip_prefix("http://").context("the endpoint speaks no http")?.parse()?;
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(BUFFER_BYTES)?;
        SockRef::from(&socket).set_tcp_mss(SEGMENT_BYTES)?;
        socket.bind("127.0.0.1:0".parse()?)?;
        let listener = socket.listen(64)?;
        let endpoint_url = format!("http://{}", listener.local_addr()?);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let server = tokio::spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
                let stands_still_after = first_stands_still_after.filter(|_| is_first);
                passing.spawn(pass_on(stream, upstream, bytes_per_second, stands_still_after));
            }
        });
        Ok(Self { endpoint_url, connections, server })
    }

    /// Its endpoint, as AWS clients want it.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass_on(
    client: TcpStream,
    upstream: SocketAddr,
    bytes_per_second: usize,
    stands_still_after: Option<usize>,
) -> std::io::Result<()> {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = TcpStream::connect(upstream).await?.into_split();
    tokio::try_join!(
        one_way(from_client, to_server, bytes_per_second, stands_still_after),
        one_way(from_server, to_client, bytes_per_second, None),
    )?;
    Ok(())
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    bytes_per_second: usize,
    stands_still_after: Option<usize>,
) -> std::io::Result<()> {
    let (mut slice, mut passed, mut free_at) = ([0; SLICE_BYTES], 0, Instant::now());
    loop {
        if stands_still_after.is_some_and(|bytes| passed >= bytes) {
            std::future::pending::<()>().await;
        }
        let read = from.read(&mut slice).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&slice[..read]).await?;
        passed += read;
        // What a busy machine's timers are late is made good: the link is as fast as it was said to be.
        free_at = free_at.max(Instant::now() - LATE)
            + Duration::from_secs_f64(read as f64 / bytes_per_second as f64);
        sleep_until(free_at).await;
    }
}

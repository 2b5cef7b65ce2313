//! The client over real sockets.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::connect::KEEP_ALIVE;
use super::*;

fn connector(read_timeout: Option<Duration>) -> SharedHttpConnector {
    let mut settings = HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(5));
    settings.set_read_timeout(read_timeout);
    let components = RuntimeComponentsBuilder::for_tests().build().expect("it has all that a test needs");
    Http::new(Roots::Amazon).http_connector(&settings.build(), &components)
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    (listener, url)
}

async fn head(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.expect("a request comes whole"));
    }
}

/// The kernel's timer of the client's end of a connection to `port`: which one runs, and for how many more ticks of
/// 10 ms. <https://docs.kernel.org/networking/proc_net_tcp.html>
fn timer(port: u16) -> (u8, u64) {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("this is Linux");
    let of = format!(":{port:04X}");
    let line = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let fields = line.into_iter().find(|fields| fields[2].ends_with(&of) && fields[3] == "01");
    let fields = fields.expect("the connection stands");
    let (kind, ticks) = fields[5].split_once(':').expect("a timer is two numbers");
    (kind.parse().expect("a number"), u64::from_str_radix(ticks, 16).expect("a number"))
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "it reads Linux's table of sockets")]
async fn a_silent_connection_is_probed_before_a_gateway_forgets_it() {
    assert!(Path::new("/proc/net/tcp").exists());
    let (listener, url) = listen().await;
    let port = listener.local_addr().expect("it is bound").port();
    let call = tokio::spawn(connector(None).call(HttpRequest::get(&url).expect("a request")));
    let (mut stream, _) = listener.accept().await.expect("it connects");
    head(&mut stream).await;
    // The function runs, and nothing is sent. A retransmission's timer (1) runs until the request is acknowledged.
    let (kind, ticks) = loop {
        match timer(port) {
            (1 | 4, _) => tokio::task::yield_now().await,
            timer => break timer,
        }
    };
    assert_eq!(kind, 2, "the timer of keep-alive runs");
    assert!(ticks > 0 && ticks <= KEEP_ALIVE.as_secs() * 100, "{ticks} ticks of 10 ms");
    stream.write_all(b"HTTP/1.1 204 X\r\n\r\n").await.expect("the client listens");
    let answer = call.await.expect("it does not panic").expect("an answer came");
    assert_eq!(answer.status().as_u16(), 204);
}

#[tokio::test]
async fn a_connection_serves_one_call_after_another() {
    let (listener, url) = listen().await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                loop {
                    head(&mut stream).await;
                    stream
                        .write_all(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n")
                        .await
                        .expect("it is read");
                }
            });
        }
    });
    let connector = connector(None);
    for _ in 0..10 {
        let request = HttpRequest::get(&url).expect("a request");
        assert_eq!(connector.call(request).await.expect("an answer").status().as_u16(), 200);
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn failures_have_the_kinds_by_which_the_sdk_tries_again() {
    let nobody = {
        let (_listener, url) = listen().await;
        url
    };
    let refused = connector(None).call(HttpRequest::get(&nobody).expect("a request")).await;
    assert!(refused.is_err_and(|error| error.is_io()));

    let (listener, url) = listen().await;
    let silent = connector(Some(Duration::from_millis(20)));
    let timed_out = silent.call(HttpRequest::get(&url).expect("a request")).await;
    assert!(timed_out.is_err_and(|error| error.is_timeout()));
    drop(listener.accept().await);

    let call = tokio::spawn(connector(None).call(HttpRequest::get(&url).expect("a request")));
    let (mut stream, _) = listener.accept().await.expect("it connects");
    head(&mut stream).await;
    drop(stream);
    let lost = call.await.expect("it does not panic").expect_err("no answer came");
    assert_eq!(lost.as_other(), Some(ErrorKind::TransientError), "{lost:?}");
}

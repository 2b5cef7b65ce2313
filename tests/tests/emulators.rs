//! The harness itself: what it starts ends with it, and reaches this machine alone.

use std::net::TcpStream;

use batchwright_tests::emulators::ministack::Ministack;
use batchwright_tests::emulators::sdk_config;

#[test]
fn a_server_ends_with_its_handle_also_on_a_panic() -> anyhow::Result<()> {
    let Some(ministack) = Ministack::start(&[])? else { return Ok(()) };
    let address = ministack.server().address();
    TcpStream::connect(address)?;
    let panicked = std::thread::spawn(move || {
        let _held = ministack;
        panic!("a test fails");
    });
    assert!(panicked.join().is_err());
    assert!(TcpStream::connect(address).is_err(), "{address} still answers");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_beyond_this_machine_is_refused() {
    for endpoint in
        ["https://dynamodb.eu-west-1.amazonaws.com", "http://192.0.2.1:80", "http://127.0.0.1", ""]
    {
        let refused = sdk_config(endpoint).await.unwrap_err().to_string();
        assert!(refused.contains("is no loopback endpoint"), "{refused}");
    }
}

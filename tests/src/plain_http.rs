//! A request of HTTP/1.1 as it is written here, headers of any kind included.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;

/// Asks with these lines, after the first and `Host`. Returns the answer's head and body.
pub fn asked(address: &str, first: &str, host: &str, lines: &str) -> anyhow::Result<String> {
    let (_, rest) = address.split_once("//").context("no address")?;
    let mut stream = TcpStream::connect(rest.split('/').next().unwrap_or_default())?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(stream, "{first} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

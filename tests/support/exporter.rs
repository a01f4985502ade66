//! Something to be scraped.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// Serves what `exposition` says at each scrape, the first of which is number 0, for as long as the process lives.
pub(crate) fn serve(exposition: impl Fn(u64) -> String + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (scrape, stream) in listener.incoming().flatten().enumerate() {
            // Whoever asked may have gone.
            _ = answer(stream, &exposition(scrape as u64));
        }
    });
    address
}

fn answer(mut stream: TcpStream, body: &str) -> std::io::Result<()> {
    // Prometheus' request fits in one read, and nothing of it matters.
    _ = stream.read(&mut [0; 4096])?;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

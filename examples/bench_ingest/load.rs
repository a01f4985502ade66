//! Sends requests over kept connections and measures how long the answers take.

use crate::payload::Request;
use anyhow::{Context as _, Result, bail};
use emberwatch::wire::MessageType;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    ops::Range,
    thread,
    time::{Duration, Instant},
};

/// Connections, as a busy Prometheus has.
pub(crate) const CONNECTIONS: usize = 4;

/// No answer within this is a failure.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) path: &'static str,
    pub(crate) message: MessageType,
}

/// What is sent: every request once a round, a scrape interval of data time after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Timestamp of round 0.
    pub(crate) start_ms: i64,
    pub(crate) interval_ms: i64,
    /// Samples per second; as fast as answers come when absent.
    pub(crate) rate: Option<f64>,
}

/// The requests of each connection. A series stays on its connection, as Prometheus keeps it on a shard.
pub(crate) type Lanes = Vec<Vec<Request>>;

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) samples: u64,
    /// Time from when a request was due to its answer, in milliseconds, ascending.
    pub(crate) latencies_ms: Vec<f64>,
}

/// Sends `rounds` of all `lanes`.
pub(crate) fn send(
    target: &Target,
    lanes: &mut Lanes,
    rounds: Range<i64>,
    schedule: Schedule,
) -> Result<Outcome> {
    let begun = Instant::now();
    let per_round: usize = lanes.iter().flatten().map(Request::len).sum();
    let results: Vec<Result<Outcome>> = thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, lane) in lanes.iter_mut().enumerate() {
            let rounds = rounds.clone();
            threads.push(
                scope.spawn(move || send_lane(target, lane, number, rounds, schedule, begun, per_round)),
            );
        }
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| bail!("a sending thread panicked"))
        };
        threads.into_iter().map(join).collect()
    });
    let mut all = Outcome::default();
    for result in results {
        let outcome = result?;
        all.samples += outcome.samples;
        all.latencies_ms.extend(outcome.latencies_ms);
    }
    all.latencies_ms.sort_by(f64::total_cmp);
    Ok(all)
}

fn send_lane(
    target: &Target,
    lane: &mut [Request],
    number: usize,
    rounds: Range<i64>,
    schedule: Schedule,
    begun: Instant,
    per_round: usize,
) -> Result<Outcome> {
    let mut connection = Connection::open(target)?;
    let mut outcome = Outcome::default();
    let first_round = rounds.start;
    for round in rounds {
        let length = lane.len();
        for (place, request) in lane.iter_mut().enumerate() {
            let body = request.next_body(schedule.start_ms + round * schedule.interval_ms)?;
            let mut due = Instant::now();
            if let Some(rate) = schedule.rate {
                // Requests of all lanes follow each other at equal distances.
                let share = (place * CONNECTIONS + number) as f64 / (length * CONNECTIONS) as f64;
                let samples = ((round - first_round) as f64 + share) * per_round as f64;
                due = begun + Duration::from_secs_f64(samples / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            connection.post(&body)?;
            outcome.latencies_ms.push(due.elapsed().as_secs_f64() * 1e3);
            outcome.samples += request.len() as u64;
        }
    }
    Ok(outcome)
}

/// A kept connection.
struct Connection {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

// === impl Connection ===

impl Connection {
    fn open(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&target.address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let (content_type, version) = match target.message {
            MessageType::V1 => ("application/x-protobuf", "0.1.0"),
            MessageType::V2 => ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
        };
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Encoding: snappy\r\nContent-Type: {content_type}\r\n\
             X-Prometheus-Remote-Write-Version: {version}\r\n",
            target.path, target.address
        );
        Ok(Self { stream, head, buffer: Vec::new() })
    }

    /// Sends one request and reads its answer.
    fn post(&mut self, body: &[u8]) -> Result<()> {
        self.buffer.clear();
        self.buffer.extend_from_slice(self.head.as_bytes());
        self.buffer.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        self.buffer.extend_from_slice(body);
        self.stream.write_all(&self.buffer)?;
        self.buffer.clear();
        let mut part = [0; 4096];
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            let read = self.stream.read(&mut part)?;
            if read == 0 {
                bail!("the receiver closed the connection");
            }
            self.buffer.extend_from_slice(&part[..read]);
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).context("no status")?;
        if !status.starts_with('2') {
            bail!("answered {status}: {}", String::from_utf8_lossy(&self.buffer[end..]).trim());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut left = length.unwrap_or(0_usize).saturating_sub(self.buffer.len() - end - 4);
        while left > 0 {
            let read = self.stream.read(&mut part)?;
            if read == 0 {
                bail!("the receiver closed the connection");
            }
            left = left.saturating_sub(read);
        }
        Ok(())
    }
}

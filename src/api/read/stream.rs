//! A body whose frames are made while it is sent.
//!
//! A task makes them and hands them to the body, one piece ahead of the connection. So a client that reads slowly holds a
//! place among the queries only for the time of a query, and one that goes away ends the task at once.

use super::{Reader, Refusal};
use crate::query::Reading;
use axum::body::{Body, Bytes};
use hyper::body::Frame;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::sync::mpsc;

/// Pieces that wait for the connection.
const PIECES_AHEAD: usize = 1;

/// What the task says to the body.
#[derive(Debug)]
enum Piece {
    Frames(Bytes),
    /// There is no more; without it the body is not whole.
    End,
}

/// The receiving end.
#[derive(Debug)]
struct Frames {
    first: Option<Bytes>,
    pieces: mpsc::Receiver<Piece>,
    is_whole: bool,
}

/// The task ended before the answer was whole; its log line says why.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
struct BrokeOff;

/// The body of `first` and of all frames that `reading` gives after them.
pub(super) fn body(first: Bytes, reading: Reading, reader: Reader) -> Body {
    if first.is_empty() {
        return Body::empty();
    }
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(async move {
        tokio::select! {
            // The client is gone.
            () = sender.closed() => {}
            sent = send_all(reading, &reader, &sender) => if let Err(error) = sent {
                tracing::warn!(%error, "an answer to remote read broke off after its first frames");
            },
        }
    });
    Body::new(Frames { first: Some(first), pieces, is_whole: false })
}

async fn send_all(
    mut reading: Reading,
    reader: &Reader,
    pieces: &mpsc::Sender<Piece>,
) -> Result<(), Refusal> {
    loop {
        let frames = reader.frames(&mut reading).await?;
        let is_end = frames.is_empty();
        let piece = if is_end { Piece::End } else { Piece::Frames(frames) };
        let sent =
            reading.within_time("sending the answer", pieces.send(piece)).await.map_err(Refusal::Query)?;
        // Nobody takes any more.
        if is_end || sent.is_err() {
            return Ok(());
        }
    }
}

// === impl Frames ===

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.is_whole {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.pieces.poll_recv(context)) {
            Some(Piece::Frames(frames)) => Some(Ok(Frame::data(frames))),
            Some(Piece::End) => {
                self.is_whole = true;
                None
            }
            None => Some(Err(BrokeOff)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    fn frames() -> (mpsc::Sender<Piece>, Frames) {
        let (sender, pieces) = mpsc::channel(4);
        (sender, Frames { first: Some(Bytes::from_static(b"a")), pieces, is_whole: false })
    }

    #[tokio::test]
    async fn a_body_is_all_frames_in_their_order() {
        let (sender, frames) = frames();
        sender.try_send(Piece::Frames(Bytes::from_static(b"b"))).unwrap();
        sender.try_send(Piece::Frames(Bytes::from_static(b"c"))).unwrap();
        sender.try_send(Piece::End).unwrap();
        drop(sender);
        assert_eq!(frames.collect().await.unwrap().to_bytes(), "abc");
    }

    /// For a task that ended without saying that this is all, be it by a panic, the client sees no end.
    #[tokio::test]
    async fn a_body_that_is_not_whole_is_broken() {
        let (sender, frames) = frames();
        sender.try_send(Piece::Frames(Bytes::from_static(b"b"))).unwrap();
        drop(sender);
        assert!(frames.collect().await.is_err());
    }
}

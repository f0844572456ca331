//! The body of an answer on its way out, in pieces that record their memory and when they are read.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use credlink_core::http::problem::Problem;
use http::Response;
use hyper::body::{Body, Frame, SizeHint};

use crate::admission::{Direction, Slot, Transfer};
use crate::handler::PartOf;
use crate::memory::of_all;
use crate::problem;

/// Maximum length of a piece, in bytes: as much as the system takes in a call or two.
const PIECE_BYTES: usize = 262_144;

/// Seconds after which a client that found no room shall come again.
const AGAIN_SECONDS: u32 = 2;

/// The body of an answer.
pub struct ResponseBody {
    rest: Bytes,
    hold: Option<Arc<Hold>>,
}

/// A piece of a body. Its memory is given back when it was written.
pub struct Piece {
    bytes: Bytes,
    hold: Option<Arc<Hold>>,
}

/// Room that an answer takes until its last piece was written.
struct Hold {
    transfer: Transfer,
    content: Bytes,
}

/// Returns the answer to `slot` if there is room for it, and otherwise an answer that says so.
pub fn send(slot: &Arc<Slot>, mut response: Response<Bytes>) -> Response<ResponseBody> {
    let content = match response.extensions_mut().remove::<PartOf>() {
        Some(PartOf(whole)) => whole,
        None => response.body().clone(),
    };
    let hold = Hold::of(slot, content);
    if hold.is_none() && !response.body().is_empty() {
        let what = "the answers that are being read take all the room that there is for this connection, for its \
                    address, or in all";
        response = problem::answer(&Problem::busy(what, AGAIN_SECONDS));
    }
    response.map(|rest| ResponseBody { rest, hold })
}

impl Hold {
    fn of(slot: &Arc<Slot>, content: Bytes) -> Option<Arc<Self>> {
        if content.is_empty() {
            return None;
        }
        let has_room = of_all(
            slot.answers(),
            |account| account.take_content(&content),
            |account| account.give_content(&content),
        );
        has_room.then(|| {
            let transfer = Transfer::begin(slot, Direction::Answer);
            Arc::new(Self { transfer, content })
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.transfer.slot().answers().iter().for_each(|account| account.give_content(&self.content));
    }
}

impl Body for ResponseBody {
    type Data = Piece;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE_BYTES);
        let bytes = self.rest.split_to(length);
        let hold = if self.rest.is_empty() { self.hold.take() } else { self.hold.clone() };
        Poll::Ready(Some(Ok(Frame::data(Piece { bytes, hold }))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some(hold) = &self.hold {
            hold.transfer.slot().progress().is_active();
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::admission::Admission;

    #[tokio::test]
    async fn room_is_held_until_the_last_piece_is_written() {
        let admission = Admission::new();
        let held_slot = admission.enter([192, 0, 2, 1].into()).unwrap().slot().await.ok().unwrap();
        let slot = held_slot.slot();
        let content = Bytes::from(vec![7; 600_000]);
        let mut body = send(slot, Response::new(content.clone())).into_body();
        assert_eq!(body.size_hint().exact(), Some(600_000));
        let mut pieces = Vec::new();
        while let Some(piece) = body.frame().await {
            pieces.push(piece.unwrap().into_data().ok().unwrap());
        }
        assert_eq!(
            pieces.iter().map(|piece| piece.chunk().len()).collect::<Vec<_>>(),
            [262_144, 262_144, 75_712]
        );
        drop(body);
        assert!(slot.answers().iter().all(|account| account.held() == content.len()));
        assert!(!slot.progress().is_idle(), "three pieces are not written");
        drop(pieces);
        assert!(slot.answers().iter().all(|account| account.held() == 0));
        assert!(slot.progress().is_idle());
    }

    #[tokio::test]
    async fn who_finds_no_room_is_told_to_come_again() {
        let admission = Admission::new();
        let held_slot = admission.enter([192, 0, 2, 1].into()).unwrap().slot().await.ok().unwrap();
        let large = || Response::new(Bytes::from(vec![7; 10_000_000]));
        let held: Vec<_> = (0..2).map(|_| send(held_slot.slot(), large())).collect();
        let refused = send(held_slot.slot(), large());
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["retry-after"]),
            (503, &"2".parse().unwrap())
        );
        assert_eq!(send(held_slot.slot(), Response::new(Bytes::from_static(b"small"))).status(), 200);
        drop(held);
        assert_eq!(send(held_slot.slot(), large()).status(), 200);
    }

    #[tokio::test]
    async fn a_part_holds_the_whole() {
        let admission = Admission::new();
        let held_slot = admission.enter([192, 0, 2, 1].into()).unwrap().slot().await.ok().unwrap();
        let whole = Bytes::from(vec![7; 1_000_000]);
        let mut response = Response::new(whole.slice(..100_000));
        response.extensions_mut().insert(PartOf(whole));
        let sent = send(held_slot.slot(), response);
        assert!(held_slot.slot().answers().iter().all(|account| account.held() == 1_000_000));
        assert_eq!(sent.into_body().collect().await.unwrap().to_bytes().len(), 100_000);
    }
}

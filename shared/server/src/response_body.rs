//! The body of an answer on its way out, in pieces that record their memory and when they are read.

use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use credlink_core::bounds::MAX_ANSWER_PIECE_BYTES;
use credlink_core::http::problem::Problem;
use futures_util::StreamExt as _;
use futures_util::task::AtomicWaker;
use http::Response;
use hyper::body::{Body, Frame, SizeHint};

use crate::admission::{Direction, Slot, Transfer};
use crate::handler::{AnswerPieces, PartOf, Streamed};
use crate::memory::{Account, of_all};
use crate::problem;

/// Maximum length of a piece, in bytes: as much as the system takes in a call or two.
const PIECE_BYTES: usize = 262_144;

type BoxError = Box<dyn Error + Send + Sync>;

/// The body of an answer.
pub struct ResponseBody {
    rest: Rest,
    hold: Option<Arc<Hold>>,
}

/// The part of a body that is not taken yet.
enum Rest {
    /// Bytes in memory.
    Whole(Bytes),
    /// Pieces that have so many bytes together. Each is taken when the one before was written.
    Pieces(AnswerPieces, u64),
}

/// A piece of a body. Its memory is given back when it was written.
pub struct Piece {
    bytes: Bytes,
    hold: Option<Arc<Hold>>,
    _unwritten: Option<Unwritten>,
}

/// Room that an answer takes until its last piece was written.
struct Hold {
    transfer: Transfer,
    room: Room,
    /// `true` while a piece of an answer that is sent piece by piece is not written yet.
    has_unwritten: AtomicBool,
    /// The task that waits until it is.
    waits: AtomicWaker,
}

/// The memory that an answer holds.
enum Room {
    /// A content that it is, or is a part of.
    Content(Bytes),
    /// One piece of it.
    Piece,
}

/// A piece that is not written yet. When this is dropped, the next piece is taken.
struct Unwritten(Arc<Hold>);

/// The room for the answer to one request, as an extension of its head. A handler that records its answer takes the room
/// first, because an answer that finds none is replaced by one that says so. For all others, the room is taken when the
/// answer is sent.
#[derive(Clone)]
pub struct AnswerRoom(Arc<Taken>);

/// The room of one connection, and what an answer on it has taken.
struct Taken {
    slot: Arc<Slot>,
    hold: Mutex<Option<Arc<Hold>>>,
}

impl AnswerRoom {
    pub(crate) fn new(slot: &Arc<Slot>) -> Self {
        Self(Arc::new(Taken { slot: Arc::clone(slot), hold: Mutex::default() }))
    }

    /// Takes the room for an answer that is this content, or a part of it. Returns `false` if there is none.
    #[must_use]
    pub fn take_content(&self, content: Bytes) -> bool {
        let length = content.len() as u64;
        self.take(Room::Content(content), length)
    }

    /// Takes the room for an answer of so many bytes that is sent piece by piece. Returns `false` if there is none.
    #[must_use]
    pub fn take_piece(&self, length: u64) -> bool {
        self.take(Room::Piece, length)
    }

    fn take(&self, room: Room, length: u64) -> bool {
        let hold = Hold::of(self.slot(), room, length);
        let has_room = length == 0 || hold.is_some();
        *self.taken() = hold;
        has_room
    }

    fn slot(&self) -> &Arc<Slot> {
        &self.0.slot
    }

    fn taken(&self) -> MutexGuard<'_, Option<Arc<Hold>>> {
        self.0.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the answer if there is room for it, and otherwise an answer that says so.
pub fn send(given: &AnswerRoom, mut response: Response<Bytes>) -> Response<ResponseBody> {
    let streamed = response.extensions_mut().remove::<Streamed>().and_then(|body| body.take());
    let part_of = response.extensions_mut().remove::<PartOf>();
    let (room, length) = match (&streamed, part_of) {
        (Some((_, length)), _) => (Room::Piece, *length),
        (None, Some(PartOf(whole))) => (Room::Content(whole), response.body().len() as u64),
        (None, None) => (Room::Content(response.body().clone()), response.body().len() as u64),
    };
    let taken = given.taken().take();
    let hold = taken.or_else(|| Hold::of(given.slot(), room, length));
    match streamed {
        _ if hold.is_none() && length > 0 => {
            let busy = problem::answer(&Problem::no_room_for_answer());
            busy.map(|body| ResponseBody { rest: Rest::Whole(body), hold: None })
        }
        Some((pieces, length)) => response.map(|_| ResponseBody { rest: Rest::Pieces(pieces, length), hold }),
        None => response.map(|body| ResponseBody { rest: Rest::Whole(body), hold }),
    }
}

impl Hold {
    /// Takes room for an answer of so many bytes. Returns `None` if there is none, or if the answer is empty.
    fn of(slot: &Arc<Slot>, room: Room, length: u64) -> Option<Arc<Self>> {
        let has_room =
            length > 0 && of_all(slot.answers(), |account| room.take(account), |account| room.give(account));
        has_room.then(|| {
            let transfer = Transfer::begin(slot, Direction::Answer);
            let (has_unwritten, waits) = (AtomicBool::new(false), AtomicWaker::new());
            Arc::new(Self { transfer, room, has_unwritten, waits })
        })
    }
}

impl Room {
    fn take(&self, account: &Account) -> bool {
        match self {
            Self::Content(content) => account.take_content(content),
            Self::Piece => account.take(MAX_ANSWER_PIECE_BYTES),
        }
    }

    fn give(&self, account: &Account) {
        match self {
            Self::Content(content) => account.give_content(content),
            Self::Piece => account.give(MAX_ANSWER_PIECE_BYTES),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.transfer.slot().answers().iter().for_each(|account| self.room.give(account));
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.0.has_unwritten.store(false, Ordering::Release);
        self.0.waits.wake();
    }
}

impl ResponseBody {
    /// Returns the next piece of an answer that is sent piece by piece, once the one before was written. The stream of pieces
    /// belongs to this body alone, so that nothing is locked while it is polled.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, BoxError>>> {
        let (Rest::Pieces(pieces, left), Some(hold)) = (&mut self.rest, &self.hold) else {
            return Poll::Ready(None);
        };
        if *left == 0 {
            return Poll::Ready(None);
        }
        hold.waits.register(context.waker());
        if hold.has_unwritten.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        let bytes = match ready!(pieces.poll_next_unpin(context)) {
            Some(Ok(bytes)) if bytes.len() as u64 <= *left => bytes,
            Some(Ok(_)) => {
                return Poll::Ready(Some(Err("an answer is longer than it was said to be".into())));
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(Some(Err("an answer is shorter than it was said to be".into()))),
        };
        *left -= bytes.len() as u64;
        hold.transfer.slot().progress().is_active();
        hold.has_unwritten.store(true, Ordering::Relaxed);
        let unwritten = Some(Unwritten(Arc::clone(hold)));
        let hold = if *left == 0 { self.hold.take() } else { Some(Arc::clone(hold)) };
        Poll::Ready(Some(Ok(Piece { bytes, hold, _unwritten: unwritten })))
    }
}

impl Rest {
    /// Returns the number of bytes.
    fn length(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Pieces(_, left) => *left,
        }
    }
}

impl Body for ResponseBody {
    type Data = Piece;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BoxError>>> {
        let this = &mut *self;
        match &mut this.rest {
            Rest::Whole(rest) if rest.is_empty() => Poll::Ready(None),
            Rest::Whole(rest) => {
                let length = rest.len().min(PIECE_BYTES);
                let bytes = rest.split_to(length);
                let hold = if rest.is_empty() { this.hold.take() } else { this.hold.clone() };
                Poll::Ready(Some(Ok(Frame::data(Piece { bytes, hold, _unwritten: None }))))
            }
            Rest::Pieces(..) => {
                let piece = ready!(this.poll_piece(context));
                if let Some(Err(error)) = &piece {
                    tracing::error!(reason = %error, "an answer was broken off");
                }
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.length() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.length())
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
            hold.transfer.moved(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, stream};
    use http_body_util::BodyExt as _;
    use tokio::task::yield_now;

    use super::*;
    use crate::admission::Admission;

    #[tokio::test]
    async fn room_is_held_until_the_last_piece_is_written() {
        let admission = Admission::new();
        let held_slot = admission.enter([192, 0, 2, 1].into()).unwrap().slot().await.ok().unwrap();
        let slot = held_slot.slot();
        let content = Bytes::from(vec![7; 600_000]);
        let mut body = send(&AnswerRoom::new(slot), Response::new(content.clone())).into_body();
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
        let held: Vec<_> = (0..2).map(|_| send(&AnswerRoom::new(held_slot.slot()), large())).collect();
        let refused = send(&AnswerRoom::new(held_slot.slot()), large());
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["retry-after"]),
            (503, &"2".parse().unwrap())
        );
        assert_eq!(
            send(&AnswerRoom::new(held_slot.slot()), Response::new(Bytes::from_static(b"small"))).status(),
            200
        );
        drop(held);
        assert_eq!(send(&AnswerRoom::new(held_slot.slot()), large()).status(), 200);
    }

    #[tokio::test]
    async fn a_long_answer_holds_one_piece_at_a_time() {
        let admission = Admission::new();
        let held_slot = admission.enter([192, 0, 2, 1].into()).unwrap().slot().await.ok().unwrap();
        let slot = held_slot.slot();
        let answer = |pieces: Vec<Result<Bytes, BoxError>>, length| {
            let mut response = Response::new(Bytes::new());
            response.extensions_mut().insert(Streamed::new(stream::iter(pieces).boxed(), length));
            send(&AnswerRoom::new(slot), response).into_body()
        };
        let piece = || Ok(Bytes::from(vec![7; 100_000]));
        let mut body = answer((0..3).map(|_| piece()).collect(), 300_000);
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(300_000), false));
        let mut piece_before = None;
        for _ in 0..3 {
            if piece_before.is_some() {
                assert!(body.frame().now_or_never().is_none(), "the piece before is not written");
            }
            // The body waits when the piece is dropped, and has to be woken.
            let written = async {
                yield_now().await;
                drop(piece_before.take());
            };
            let (frame, ()) = tokio::join!(body.frame(), written);
            let piece = frame.unwrap().unwrap().into_data().ok().unwrap();
            assert_eq!(piece.chunk().len(), 100_000);
            assert!(slot.answers().iter().all(|account| account.held() == MAX_ANSWER_PIECE_BYTES));
            piece_before = Some(piece);
        }
        assert!(body.is_end_stream() && !slot.progress().is_idle(), "the last piece is not written");
        assert!(body.frame().await.is_none());
        drop(piece_before);
        assert!(slot.answers().iter().all(|account| account.held() == 0));
        assert!(slot.progress().is_idle());
        // An answer that does not become what was said is broken off.
        for (pieces, length) in [
            (vec![piece(), Err("the disk fails".into())], 200_000),
            (vec![piece()], 200_000),
            (vec![piece(), piece()], 150_000),
        ] {
            let mut body = answer(pieces, length);
            assert!(body.frame().await.unwrap().is_ok());
            assert!(body.frame().await.unwrap().is_err(), "{length}");
        }
        // Many are read at the same time where two of them would not fit as a whole.
        let many: Vec<_> = (0..40).map(|_| answer(vec![piece()], 1_000_000_000)).collect();
        assert!(many.iter().all(|body| body.size_hint().exact() == Some(1_000_000_000)));
    }

    #[tokio::test]
    async fn room_may_be_taken_before_an_answer_is_sent() {
        let admission = Admission::new();
        let held_slot = admission.enter([192, 0, 2, 1].into()).unwrap().slot().await.ok().unwrap();
        let content = || Bytes::from(vec![7; 10_000_000]);
        let (first, second) = (AnswerRoom::new(held_slot.slot()), AnswerRoom::new(held_slot.slot()));
        assert!(first.take_content(content()) && second.take_content(content()));
        let third = AnswerRoom::new(held_slot.slot());
        assert!(!third.take_content(content()));
        let sent = send(&second, Response::new(content()));
        assert_eq!(
            (sent.status().as_u16(), send(&third, Response::new(content())).status().as_u16()),
            (200, 503)
        );
        drop((first, sent));
        assert!(held_slot.slot().answers().iter().all(|account| account.held() == 0));
        assert!(third.take_piece(1_000_000_000) && third.take_content(Bytes::new()));
    }

    #[tokio::test]
    async fn a_part_holds_the_whole() {
        let admission = Admission::new();
        let held_slot = admission.enter([192, 0, 2, 1].into()).unwrap().slot().await.ok().unwrap();
        let whole = Bytes::from(vec![7; 1_000_000]);
        let mut response = Response::new(whole.slice(..100_000));
        response.extensions_mut().insert(PartOf(whole));
        let sent = send(&AnswerRoom::new(held_slot.slot()), response);
        assert!(held_slot.slot().answers().iter().all(|account| account.held() == 1_000_000));
        assert_eq!(sent.into_body().collect().await.unwrap().to_bytes().len(), 100_000);
    }
}

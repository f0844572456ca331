//! The body of a request on its way in, within its length, its time, and the room for bodies.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::bounds::MAX_BODY_BYTES;
use credlink_core::http::problem::{Problem, ProblemKind};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, sleep, timeout_at};

use crate::admission::{Direction, Slot, TRANSFER, Transfer};
use crate::handler::Pieces;

/// Maximum time for the next piece of a body to arrive.
const PIECE: Duration = Duration::from_secs(20);
/// Maximum time for the rest of a body that nobody wants.
const UNWANTED: Duration = Duration::from_secs(5);

/// The room for a request besides its body, in bytes: for its head, and for the server's work on it. A request that
/// finds no room is refused before anything of its body is read.
const HEAD_BYTES: usize = 32_768;
/// Room for the first bytes of a body of unknown length. More is taken as the body grows.
const FIRST_BYTES: usize = 16_384;

/// The number of bytes of a long body that have to arrive within the time of a transfer: 17 KB a second.
const STRETCH_BYTES: usize = 4_194_304;

/// Maximum time that a body waits for room before anything of it is read.
const FOR_ROOM: Duration = Duration::from_secs(10);
/// Interval at which a waiting body looks for room.
const LOOK: Duration = Duration::from_millis(25);
/// Seconds after which a client that found no room shall come again.
const AGAIN_SECONDS: u32 = 2;

/// A body on its way in.
pub struct RequestBody {
    frames: Limited<Incoming>,
    /// The maximum length, in bytes.
    limit: usize,
    slot: Arc<Slot>,
    /// Room for the head, from [`Self::admit`] until the body is read.
    head: Option<BodyRoom>,
    /// `true` if the body was too long, too slow, or cut off. Nothing more of it is read.
    has_failed: bool,
}

/// Room that a body takes in memory until this is dropped.
pub struct BodyRoom {
    slot: Arc<Slot>,
    bytes: usize,
}

impl RequestBody {
    /// Creates the body of a request on `slot`, of at most `limit` bytes.
    pub fn new(body: Incoming, slot: &Arc<Slot>, limit: usize) -> Self {
        Self {
            frames: Limited::new(body, limit),
            limit,
            slot: Arc::clone(slot),
            head: None,
            has_failed: false,
        }
    }

    /// Returns `true` if there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.frames.is_end_stream()
    }

    /// Takes room for a request that may wait for its body.
    pub fn admit(&mut self) -> Result<(), Problem> {
        let mut room = BodyRoom { slot: Arc::clone(&self.slot), bytes: 0 };
        room.grow(HEAD_BYTES).inspect_err(|_| self.has_failed = true)?;
        self.head = Some(room);
        Ok(())
    }

    /// Reads the body to its end, once there is room for it: for all of it if its length is known.
    pub async fn read(&mut self) -> Result<(Bytes, BodyRoom), Problem> {
        let announced = self.frames.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let announced = announced.map(|length| length.min(MAX_BODY_BYTES));
        let mut room =
            self.head.take().unwrap_or_else(|| BodyRoom { slot: Arc::clone(&self.slot), bytes: 0 });
        let waited = room.wait_for(HEAD_BYTES + announced.unwrap_or(FIRST_BYTES)).await;
        waited.inspect_err(|_| self.has_failed = true)?;
        let _transfer = Transfer::begin(&self.slot, Direction::Body);
        let mut whole = Vec::new();
        let deadline = Instant::now() + TRANSFER;
        while let Some(piece) = self.next(deadline).await? {
            let needed = whole.len() + piece.len();
            if needed > whole.capacity() {
                let most = announced.unwrap_or(MAX_BODY_BYTES);
                let capacity = needed.max((2 * whole.capacity()).min(most));
                room.grow(HEAD_BYTES + capacity).inspect_err(|_| self.has_failed = true)?;
                whole.reserve_exact(capacity - whole.len());
            }
            whole.extend_from_slice(&piece);
        }
        Ok((whole.into(), room))
    }

    /// Returns the body piece by piece. Only the piece at hand is in memory.
    pub fn pieces(&mut self) -> impl Pieces + '_ {
        let transfer = Transfer::begin(&self.slot, Direction::Body);
        Streamed { body: self, transfer, deadline: Instant::now() + TRANSFER, bytes: 0 }
    }

    /// Reads a body that nobody wanted and discards it. A client that is still sending when the connection is closed
    /// may see a broken connection instead of the answer.
    pub async fn discard(&mut self) {
        if self.is_empty() {
            return;
        }
        let deadline = Instant::now() + UNWANTED;
        while !self.has_failed && matches!(self.next(deadline).await, Ok(Some(_))) {}
    }

    /// Returns the next piece, or `None` at the end.
    async fn next(&mut self, deadline: Instant) -> Result<Option<Bytes>, Problem> {
        let next = self.piece(deadline).await;
        self.has_failed |= next.is_err();
        next
    }

    async fn piece(&mut self, deadline: Instant) -> Result<Option<Bytes>, Problem> {
        loop {
            let waiting = self.slot.progress().wait_for_client();
            let frame = timeout_at(deadline.min(Instant::now() + PIECE), self.frames.frame()).await;
            drop(waiting);
            match frame.map_err(|_| unreadable("its sender is too slow, or has stopped"))? {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    // Frames without data are trailers, which nothing here needs.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) if error.is::<LengthLimitError>() => {
                    return Err(Problem::too_large("a request body", self.limit));
                }
                Some(Err(_)) => return Err(unreadable("the connection broke")),
            }
        }
    }
}

/// A body that is taken piece by piece.
struct Streamed<'a> {
    body: &'a mut RequestBody,
    transfer: Transfer,
    /// The time by which a stretch has to be there.
    deadline: Instant,
    /// The number of bytes of the stretch that have arrived.
    bytes: usize,
}

impl Pieces for Streamed<'_> {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, Problem>> {
        Box::pin(async {
            let piece = self.body.next(self.deadline).await?;
            self.bytes += piece.as_ref().map_or(0, Bytes::len);
            if self.bytes >= STRETCH_BYTES {
                self.transfer = Transfer::begin(&self.body.slot, Direction::Body);
                (self.deadline, self.bytes) = (Instant::now() + TRANSFER, 0);
            }
            Ok(piece)
        })
    }
}

impl BodyRoom {
    /// Waits for room for so many bytes in all.
    async fn wait_for(&mut self, bytes: usize) -> Result<(), Problem> {
        let deadline = Instant::now() + FOR_ROOM;
        loop {
            match self.grow(bytes) {
                Err(_) if Instant::now() < deadline => sleep(LOOK).await,
                grown => return grown,
            }
        }
    }

    /// Takes room for so many bytes in all. It does not wait, because other bodies that have a part of their room would
    /// wait as well.
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 && !self.slot.take_body(more) {
            return Err(no_room());
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for BodyRoom {
    fn drop(&mut self) {
        self.slot.give_body(self.bytes);
    }
}

fn no_room() -> Problem {
    let what = "the bodies of requests that are under way take all the room that there is for this connection, for its \
                address, or in all";
    Problem::busy(what, AGAIN_SECONDS)
}

/// Returns the problem of a body that did not arrive.
pub fn unreadable(why: &str) -> Problem {
    Problem::new(ProblemKind::InvalidRequest, format!("the body did not arrive: {why}"))
}

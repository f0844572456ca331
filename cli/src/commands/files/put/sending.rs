//! Sending the bytes of an upload: what is missing, until the server has all of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use credlink_core::file::UploadId;

use super::slots::Slots;
use super::source::Source;
use super::transfer::{Next, NotTaken, Transfer};
use crate::client::{Address, Cause, Upload};
use crate::commands::files::backoff::Backoff;
use crate::commands::files::calls::Calls;
use crate::commands::files::meter::Meter;
use crate::error::{Trouble, TroubleKind};

/// The most parts whose addresses are asked for at once. The addresses of all parts of a long file would end before they are
/// used.
const ADDRESSES: usize = 4;

/// The age at which an address is replaced. It is valid for an hour, or until the credentials of the server end.
const ADDRESS_AGE: Duration = Duration::from_secs(1_800);

/// The most times that the missing parts are sent, if the server does not have what it has acknowledged.
const ROUNDS: usize = 5;

/// The upload whose bytes are sent.
pub(super) struct Sending<'a> {
    /// The client of the server.
    pub(super) calls: &'a Calls<'a>,
    /// The client that sends bytes.
    pub(super) transfer: &'a Transfer,
    /// The places for bodies that are sent at once.
    pub(super) slots: &'a Slots,
    /// The number of them.
    pub(super) concurrency: usize,
    /// The progress.
    pub(super) meter: &'a Meter,
    /// The file.
    pub(super) source: &'a Source,
}

/// The end of a transfer before all parts are sent.
enum Ended {
    /// The upload takes no more bytes.
    Over(Box<Upload>),
    /// It failed.
    Failed(Trouble),
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble)
    }
}

/// An address, and the time since which it is known.
struct Known {
    address: Address,
    since: Instant,
}

/// The parts of a transfer that are still to be sent, and its end if it came early.
struct Work<'a> {
    upload: &'a Upload,
    left: Mutex<VecDeque<u32>>,
    first: Mutex<Option<Known>>,
    is_given_up: AtomicBool,
    ended: Mutex<Option<Ended>>,
}

impl Work<'_> {
    fn next(&self, most: usize) -> Vec<u32> {
        if self.is_given_up.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let count = most.min(left.len());
        left.drain(..count).collect()
    }

    /// Ends the transfer. The first end counts: those that follow come of it.
    fn end(&self, ended: Ended) {
        self.is_given_up.store(true, Ordering::Relaxed);
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(ended);
    }
}

impl Sending<'_> {
    /// Sends what is missing of `upload`, and says that everything is there. Returns the upload as it is then.
    ///
    /// # Errors
    /// The file cannot be read or has changed, the server refuses its bytes, or does not take them for too long.
    pub(super) fn send(&self, mut upload: Upload) -> Result<Upload, Trouble> {
        let id = upload.id;
        for _ in 0..ROUNDS {
            if !upload.is_open() {
                return Ok(upload);
            }
            match self.send_missing(&upload) {
                Ok(()) => {}
                Err(Ended::Over(upload)) => return Ok(*upload),
                Err(Ended::Failed(trouble)) => return Err(trouble),
            }
            match self.calls.call(|client| client.complete(&id)) {
                Ok(upload) => return Ok(upload),
                Err(trouble) if trouble.is_incomplete() || trouble.is_of_a_closed_upload() => {
                    upload = self.look(&id)?;
                }
                Err(trouble) => return Err(trouble),
            }
        }
        let detail =
            format!("the server takes the bytes of the upload {id}, and does not have them afterwards");
        Err(Trouble::new(TroubleKind::Provider, detail))
    }

    fn look(&self, id: &UploadId) -> Result<Upload, Trouble> {
        self.calls.call(|client| client.upload(id))
    }

    fn send_missing(&self, upload: &Upload) -> Result<(), Ended> {
        let missing = upload.missing();
        let workers = self.concurrency.min(missing.len());
        // A few parts are divided among all workers.
        let batch = ADDRESSES.min(missing.len().div_ceil(workers.max(1)));
        let first = upload.put.clone().map(|address| Known { address, since: Instant::now() });
        let work = Work {
            upload,
            left: Mutex::new(missing.into()),
            first: Mutex::new(first),
            is_given_up: AtomicBool::new(false),
            ended: Mutex::new(None),
        };
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let numbers = work.next(batch);
                        if numbers.is_empty() {
                            break;
                        }
                        if let Err(ended) = self.send_parts(&work, &numbers) {
                            work.end(ended);
                        }
                    }
                });
            }
        });
        work.ended.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn send_parts(&self, work: &Work<'_>, numbers: &[u32]) -> Result<(), Ended> {
        let first = work.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let addresses = match first {
            Some(first) => vec![first],
            None => self.addresses(work.upload, numbers)?,
        };
        for (number, known) in numbers.iter().zip(addresses) {
            if work.is_given_up.load(Ordering::Relaxed) {
                break;
            }
            self.send_part(work, *number, known)?;
        }
        Ok(())
    }

    /// Asks for addresses, in the order of the numbers.
    fn addresses(&self, upload: &Upload, numbers: &[u32]) -> Result<Vec<Known>, Ended> {
        let since = Instant::now();
        let named = match self.calls.call(|client| client.addresses(&upload.id, numbers)) {
            Ok(named) => named,
            Err(trouble) if trouble.is_of_a_closed_upload() => {
                let upload = self.look(&upload.id)?;
                return Err(if upload.is_open() { trouble.into() } else { Ended::Over(Box::new(upload)) });
            }
            Err(trouble) => return Err(trouble.into()),
        };
        let address = |number: &u32| {
            let address = named.iter().find(|address| address.number == Some(*number))?.clone();
            Some(Known { address, since })
        };
        let all: Option<Vec<Known>> = numbers.iter().map(address).collect();
        let detail = "the server that answered names no address for a part that was asked for";
        all.ok_or_else(|| Trouble::new(TroubleKind::NotCredLink, detail).into())
    }

    fn address(&self, upload: &Upload, number: u32) -> Result<Known, Ended> {
        let mut known = self.addresses(upload, &[number])?;
        let detail = "the server that answered names no address for a part that was asked for";
        known.pop().ok_or_else(|| Trouble::new(TroubleKind::NotCredLink, detail).into())
    }

    fn send_part(&self, work: &Work<'_>, number: u32, mut known: Known) -> Result<(), Ended> {
        let range = work.upload.part(number).unwrap_or_default();
        let is_given_up = || work.is_given_up.load(Ordering::Relaxed);
        let mut backoff = Backoff::default();
        loop {
            self.source.check()?;
            if known.since.elapsed() > ADDRESS_AGE {
                known = self.address(work.upload, number)?;
            }
            let mut part = self.source.part(&range, self.meter, &is_given_up)?;
            let slot = self.slots.take();
            let sent = self.transfer.put(&known.address, range.end - range.start, &mut part);
            drop(slot);
            let Err(NotTaken { next, trouble }) = sent else { return Ok(()) };
            if let Some(unread) = part.failed() {
                self.source.check()?;
                return Err(unread.into());
            }
            if is_given_up() {
                // Another part has ended the transfer.
                return Ok(());
            }
            let cause = match next {
                Next::Again(cause) => cause,
                Next::Never => Cause::Lasting,
                Next::NewAddress | Next::Look => Cause::Passing(None),
            };
            if next == Next::Look {
                let upload = self.look(&work.upload.id)?;
                if !upload.is_open() {
                    return Err(Ended::Over(Box::new(upload)));
                }
                if upload.has(number) {
                    self.meter.expect(0, range.end - range.start);
                    return Ok(());
                }
            }
            self.calls.wait(&mut backoff, cause, trouble)?;
            if next != Next::Again(cause) {
                known = self.address(work.upload, number)?;
            }
        }
    }
}

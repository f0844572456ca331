//! Requests that are sent again while their failure may pass.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::backoff::Backoff;
use super::meter::Meter;
use crate::client::{Cause, Client, Failed};
use crate::error::Trouble;

/// Waits that are told. Shorter ones are over before they are read.
const TOLD: Duration = Duration::from_secs(1);

/// A client whose requests are sent again.
pub(super) struct Calls<'a> {
    client: &'a Client,
    meter: &'a Meter,
    /// `true` once the server has answered. From then on, one that is out of reach is coming back.
    is_known: AtomicBool,
}

impl<'a> Calls<'a> {
    /// Creates a client that tells of its waits on `meter`.
    pub(super) const fn new(client: &'a Client, meter: &'a Meter) -> Self {
        Self { client, meter, is_known: AtomicBool::new(false) }
    }

    /// The client, for a request that is sent once.
    pub(super) const fn client(&self) -> &'a Client {
        self.client
    }

    /// Sends a request, and sends it again while its failure may pass.
    pub(super) fn call<T>(&self, call: impl Fn(&Client) -> Result<T, Failed>) -> Result<T, Trouble> {
        let mut backoff = Backoff::default();
        loop {
            match call(self.client) {
                Ok(answer) => {
                    self.is_known.store(true, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Failed { trouble, cause }) => self.wait(&mut backoff, cause, trouble)?,
            }
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// Returns the trouble if there shall be no other attempt.
    pub(super) fn wait(&self, backoff: &mut Backoff, cause: Cause, trouble: Trouble) -> Result<(), Trouble> {
        let wait = match cause {
            Cause::Lasting => None,
            Cause::Unanswered if !self.is_known.load(Ordering::Relaxed) => None,
            Cause::Unanswered => backoff.failed(None, random()),
            Cause::Passing(asked) => backoff.failed(asked, random()),
        };
        if cause != Cause::Unanswered {
            self.is_known.store(true, Ordering::Relaxed);
        }
        let Some(wait) = wait else { return Err(trouble) };
        if wait >= TOLD {
            self.meter.says(&format!("{trouble}; trying again in {} s", wait.as_secs_f64().round()));
        }
        std::thread::sleep(wait);
        Ok(())
    }
}

/// Returns a random number. Without one, requests that failed together are sent together again.
fn random() -> u8 {
    let mut byte = [0];
    getrandom::fill(&mut byte).map_or(0, |()| byte[0])
}

//! The port for finding malware in uploaded files.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use credlink_core::row::UploadRow;

use crate::Failure;

/// The future of a step of a scan.
pub type Scanning<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// The verdict of a scanner on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The scanner found nothing.
    Clean,
    /// The scanner found malware, by this name.
    Malware(String),
    /// The scanner cannot check this file, for this reason, and will not be able to later.
    Unchecked(String),
    /// The scanner has not finished, and tells the verdict if it is asked again later.
    Pending,
}

/// A scan that has begun.
#[derive(Debug)]
pub enum Begun {
    /// The scanner reads the quarantine itself, and says this so far.
    Said(Verdict),
    /// The scanner waits for the bytes.
    Reads(Box<dyn Scan>),
}

/// A scanner for malware. This is a trait object and not one of [`Ports`](crate::Ports), because only the program that
/// finalises uploads has one.
///
/// * **Bounded.** A scan ends in a bounded time, with a verdict or a failure.
/// * **Honest.** A scanner that cannot be reached, or does not finish, never says [`Verdict::Clean`].
pub trait Scanner: Debug + Send + Sync {
    /// Begins to scan an upload whose bytes are all in quarantine.
    fn begin<'a>(&'a self, upload: &'a UploadRow) -> Scanning<'a, Begun>;
}

/// The scan of one file whose bytes are sent to the scanner.
pub trait Scan: Debug + Send {
    /// Sends the next bytes. Once the scanner has made up its mind, they are passed over.
    fn send(&mut self, bytes: Bytes) -> Scanning<'_, ()>;

    /// Returns the verdict about all bytes that were sent.
    fn finish(self: Box<Self>) -> Scanning<'static, Verdict>;
}

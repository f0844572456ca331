//! The port for events that are counted.

/// An event that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A proof was stored.
    Stored,
    /// A proof was sent that was stored already.
    Deduplicated,
    /// A proof was replaced.
    Superseded,
    /// A proof or a manifest was deleted.
    Deleted,
    /// A proof or a manifest was read.
    Retrieved {
        /// The bytes of the body.
        bytes: u64,
    },
    /// A proof or a manifest was requested that does not exist.
    Missed,
    /// A proof that is not imported yet was read from the legacy store.
    LegacyHit,
    /// An upload was announced.
    UploadAnnounced,
    /// An upload became a file.
    UploadReady {
        /// The microseconds from the moment when a finaliser took the bytes.
        microseconds: u64,
    },
    /// An upload was rejected.
    UploadRejected {
        /// The written form of the reason ([`Rejection::name`](credlink_core::file::Rejection::name)).
        reason: &'static str,
    },
    /// The bytes of an upload did not arrive in time.
    UploadExpired,
    /// A request ended with a failure of ours (status 500 or above).
    Failed,
    /// A doubt about index, objects or clock ([`Doubt`](credlink_core::rules::guard::Doubt)) arose or was cleared. A
    /// doubt stops deletions, or more.
    Doubted {
        /// The label of the doubt.
        label: &'static str,
        /// `true` if the doubt stands.
        stands: bool,
    },
    /// A request was answered.
    Answered {
        /// The name of the operation ([`Route::name`](credlink_core::http::route::Route::name)), or `none`.
        route: &'static str,
        /// The microseconds from the moment when the whole request was read until the whole answer was made.
        microseconds: u64,
    },
}

/// A recorder of events, such as counters or a metrics exporter. Recording never fails and never waits.
pub trait Events {
    /// Records `event`.
    fn record(&self, event: Event);
}

//! The port for what is counted.

/// Something worth counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A proof was stored.
    Stored,
    /// A proof was there already.
    Deduplicated,
    /// A proof was replaced.
    Superseded,
    /// A proof or a manifest was deleted.
    Deleted,
    /// A proof or a manifest was read, with this many bytes of content.
    Retrieved {
        /// Bytes of the body.
        bytes: u64,
    },
    /// A proof or a manifest was asked for that is not there.
    Missed,
    /// A proof was read from the legacy source, which does not stand here yet.
    LegacyHit,
    /// A request ended with a failure of ours (status 500 and above).
    Failed,
    /// Tells if a doubt about index, store or clock stands ([`Doubt`](credlink_core::rules::guard::Doubt)). A doubt
    /// stops deletions or more.
    Doubted {
        /// The label of the doubt.
        label: &'static str,
        /// `true` if it stands.
        stands: bool,
    },
    /// A request was answered.
    Answered {
        /// The name of its operation ([`Route::name`](credlink_core::http::route::Route::name)), or `none`.
        route: &'static str,
        /// From the whole request read to the whole answer made, in microseconds.
        microseconds: u64,
    },
}

/// A place for events: counters, a metrics exporter. Recording never fails and never waits.
pub trait Events {
    /// Takes note of `event`.
    fn record(&self, event: Event);
}

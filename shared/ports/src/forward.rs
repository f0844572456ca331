//! Macros that implement a port for a wrapper or for an enum of adapters, and say once how all methods are passed on.
//!
//! Each takes the name of a macro that the caller defines, and that says how one call is passed on. That macro is
//! invoked with `now` for a method that returns at once, with `read` or `write` for one that returns a future of a
//! `Result`, and with `ask` for one that returns a future of something else:
//!
//! ```
//! use credlink_ports::{forward_objects, Objects};
//!
//! struct Traced<T>(T);
//!
//! macro_rules! traced {
//!     (now $self:ident, $inner:ident => $call:expr) => {{
//!         let $inner = &$self.0;
//!         $call
//!     }};
//!     ($kind:ident $self:ident, $inner:ident => $call:expr) => {{
//!         tracing::debug!("a {}", stringify!($kind));
//!         let $inner = &$self.0;
//!         $call.await
//!     }};
//! }
//!
//! forward_objects!(impl[T: Objects] for Traced<T>, by traced);
//!
//! fn name(traced: &Traced<impl Objects>) -> &'static str {
//!     traced.name()
//! }
//! ```

/// The types that the macros name, re-exported so that callers need no dependency for them.
#[doc(hidden)]
pub mod types {
    pub use bytes::Bytes;
    pub use credlink_core::audit::AuditEntry;
    pub use credlink_core::file::FileId;
    pub use credlink_core::object::{Attributes, Facts, Head, Object, ObjectKey, StoredTag};
    pub use credlink_core::proof_id::ProofId;
    pub use credlink_core::replica::Replica;
    pub use credlink_core::row::{Reads, Row, RowKey, Totals, UploadRow};
    pub use credlink_core::rules::upload::{Found, Part};
    pub use credlink_core::time::Timestamp;
}

/// Calls the adapter in the current variant of an enum, each of whose variants holds one adapter.
#[macro_export]
macro_rules! on_variant {
    ($self:ident, $($variant:ident)|+, $adapter:ident => $call:expr) => {
        match $self {
            $(Self::$variant($adapter) => $call,)+
        }
    };
}

/// Implements [`Objects`](crate::Objects): see [the module](crate::forward). With `one by one`, two writes in order are
/// passed on as two writes, for a wrapper that counts them, or that stops or fails between them.
#[macro_export]
macro_rules! forward_objects {
    (@two one by one, $self:ident, $forward:ident, $first:ident, $second:ident) => {
        $crate::put_one_by_one($self, $first, $second).await
    };
    (@two together, $self:ident, $forward:ident, $first:ident, $second:ident) => {
        $forward!(write $self, objects => objects.put_in_order($first, $second))
    };
    (impl[$($generics:tt)*] for $type:ty, by $forward:ident) => {
        $crate::forward_objects!(impl[$($generics)*] for $type, by $forward, together);
    };
    (impl[$($generics:tt)*] for $type:ty, by $forward:ident, $($how:ident)+) => {
        impl<$($generics)*> $crate::Objects for $type {
            fn name(&self) -> &'static str {
                $forward!(now self, objects => objects.name())
            }

            async fn get(
                &self,
                key: &$crate::forward::types::ObjectKey,
            ) -> Result<Option<$crate::forward::types::Object>, $crate::Failure> {
                $forward!(read self, objects => objects.get(key))
            }

            async fn head(
                &self,
                key: &$crate::forward::types::ObjectKey,
            ) -> Result<Option<$crate::forward::types::Head>, $crate::Failure> {
                $forward!(read self, objects => objects.head(key))
            }

            async fn put(
                &self,
                key: &$crate::forward::types::ObjectKey,
                body: $crate::forward::types::Bytes,
                attributes: &$crate::forward::types::Attributes,
                condition: $crate::Condition,
            ) -> Result<$crate::Put, $crate::Failure> {
                $forward!(write self, objects => objects.put(key, body, attributes, condition))
            }

            async fn put_in_order(
                &self,
                first: $crate::ObjectWrite,
                second: $crate::ObjectWrite,
            ) -> Result<($crate::Put, Option<$crate::Put>), $crate::Failure> {
                $crate::forward_objects!(@two $($how)+, self, $forward, first, second)
            }

            async fn delete(&self, key: &$crate::forward::types::ObjectKey) -> Result<(), $crate::Failure> {
                $forward!(write self, objects => objects.delete(key))
            }

            async fn list(
                &self,
                prefix: &str,
                after: Option<&str>,
                limit: usize,
            ) -> Result<$crate::Page<$crate::Listed>, $crate::Failure> {
                $forward!(read self, objects => objects.list(prefix, after, limit))
            }
        }
    };
}

/// Implements [`Medium`](crate::Medium): see [the module](crate::forward).
#[macro_export]
macro_rules! forward_medium {
    (impl[$($generics:tt)*] for $type:ty, by $forward:ident) => {
        impl<$($generics)*> $crate::Medium for $type {
            fn has_cheap_lookups(&self) -> bool {
                $forward!(now self, medium => medium.has_cheap_lookups())
            }

            async fn write_failure(&self) -> Option<$crate::FailureKind> {
                $forward!(ask self, medium => medium.write_failure())
            }
        }
    };
}

/// Implements [`LongObjects`](crate::LongObjects): see [the module](crate::forward).
#[macro_export]
macro_rules! forward_long_objects {
    (impl[$($generics:tt)*] for $type:ty, by $forward:ident) => {
        impl<$($generics)*> $crate::LongObjects for $type {
            async fn get_piece(
                &self,
                key: &$crate::forward::types::ObjectKey,
                tag: &$crate::forward::types::StoredTag,
                range: std::ops::Range<u64>,
            ) -> Result<Option<$crate::forward::types::Bytes>, $crate::Failure> {
                $forward!(read self, objects => objects.get_piece(key, tag, range))
            }

            async fn put_pieces(
                &self,
                key: &$crate::forward::types::ObjectKey,
                write: $crate::LongWrite,
            ) -> Result<$crate::Put, $crate::Failure> {
                $forward!(write self, objects => objects.put_pieces(key, write))
            }
        }
    };
}

/// Implements [`Checksummed`](crate::Checksummed): see [the module](crate::forward).
#[macro_export]
macro_rules! forward_checksummed {
    (impl[$($generics:tt)*] for $type:ty, by $forward:ident) => {
        impl<$($generics)*> $crate::Checksummed for $type {
            async fn head_with_checksum(
                &self,
                key: &$crate::forward::types::ObjectKey,
            ) -> Result<Option<($crate::forward::types::Head, Option<$crate::Checksum>)>, $crate::Failure> {
                $forward!(read self, objects => objects.head_with_checksum(key))
            }
        }
    };
}

/// Implements [`Replicas`](crate::Replicas): see [the module](crate::forward). Calls that queue repairs are passed on
/// with `repair`.
#[macro_export]
macro_rules! forward_replicas {
    (impl[$($generics:tt)*] for $type:ty, by $forward:ident) => {
        impl<$($generics)*> $crate::Replicas for $type {
            async fn confirm(
                &self,
                key: &$crate::forward::types::ObjectKey,
                expected: &$crate::forward::types::Facts,
            ) -> Result<(), $crate::Failure> {
                $forward!(repair self, objects => objects.confirm(key, expected))
            }

            async fn get_other_copy(
                &self,
                key: &$crate::forward::types::ObjectKey,
                damaged: &$crate::forward::types::StoredTag,
            ) -> Result<Option<$crate::forward::types::Object>, $crate::Failure> {
                $forward!(read self, objects => objects.get_other_copy(key, damaged))
            }

            async fn copies(
                &self,
                key: &$crate::forward::types::ObjectKey,
            ) -> Result<$crate::Copies<$crate::forward::types::Object>, $crate::Failure> {
                $forward!(read self, objects => objects.copies(key))
            }

            async fn copies_by_head(
                &self,
                key: &$crate::forward::types::ObjectKey,
            ) -> Result<$crate::Copies<$crate::forward::types::Head>, $crate::Failure> {
                $forward!(read self, objects => objects.copies_by_head(key))
            }

            async fn list_all(
                &self,
                prefix: &str,
                after: Option<&str>,
                limit: usize,
            ) -> Result<$crate::Page<$crate::Listed>, $crate::Failure> {
                $forward!(read self, objects => objects.list_all(prefix, after, limit))
            }

            async fn mend(
                &self,
                replica: $crate::forward::types::Replica,
                key: &$crate::forward::types::ObjectKey,
                stale: bool,
            ) -> Result<(), $crate::Failure> {
                $forward!(repair self, objects => objects.mend(replica, key, stale))
            }

            fn providers(&self) -> Vec<$crate::ProviderState> {
                $forward!(now self, objects => objects.providers())
            }
        }
    };
}

/// Implements [`Quarantine`](crate::Quarantine): see [the module](crate::forward).
#[macro_export]
macro_rules! forward_quarantine {
    (impl[$($generics:tt)*] for $type:ty, by $forward:ident) => {
        impl<$($generics)*> $crate::Quarantine for $type {
            fn name(&self) -> &'static str {
                $forward!(now self, quarantine => quarantine.name())
            }

            async fn sign_put(
                &self,
                upload: &$crate::forward::types::UploadRow,
                until: $crate::forward::types::Timestamp,
            ) -> Result<$crate::SignedPut, $crate::Failure> {
                $forward!(read self, quarantine => quarantine.sign_put(upload, until))
            }

            async fn begin(
                &self,
                upload: &$crate::forward::types::UploadRow,
            ) -> Result<String, $crate::Failure> {
                $forward!(write self, quarantine => quarantine.begin(upload))
            }

            async fn sign_part(
                &self,
                upload: &$crate::forward::types::UploadRow,
                part: &$crate::forward::types::Part,
                until: $crate::forward::types::Timestamp,
            ) -> Result<$crate::SignedPut, $crate::Failure> {
                $forward!(read self, quarantine => quarantine.sign_part(upload, part, until))
            }

            async fn found(
                &self,
                upload: &$crate::forward::types::UploadRow,
            ) -> Result<$crate::forward::types::Found, $crate::Failure> {
                $forward!(read self, quarantine => quarantine.found(upload))
            }

            async fn join(
                &self,
                upload: &$crate::forward::types::UploadRow,
            ) -> Result<(), $crate::Failure> {
                $forward!(write self, quarantine => quarantine.join(upload))
            }

            async fn read(
                &self,
                upload: &$crate::forward::types::UploadRow,
                range: std::ops::Range<u64>,
            ) -> Result<Option<$crate::forward::types::Bytes>, $crate::Failure> {
                $forward!(read self, quarantine => quarantine.read(upload, range))
            }

            async fn abort(
                &self,
                upload: &$crate::forward::types::UploadRow,
                multipart: &str,
            ) -> Result<(), $crate::Failure> {
                $forward!(write self, quarantine => quarantine.abort(upload, multipart))
            }

            async fn remove(
                &self,
                upload: &$crate::forward::types::UploadRow,
            ) -> Result<(), $crate::Failure> {
                $forward!(write self, quarantine => quarantine.remove(upload))
            }
        }
    };
}

/// Implements [`Index`](crate::Index): see [the module](crate::forward). Counting reads is passed on with `count`.
#[macro_export]
macro_rules! forward_index {
    (impl[$($generics:tt)*] for $type:ty, by $forward:ident) => {
        impl<$($generics)*> $crate::Index for $type {
            fn name(&self) -> &'static str {
                $forward!(now self, index => index.name())
            }

            async fn get(
                &self,
                key: &$crate::forward::types::RowKey,
            ) -> Result<Option<$crate::forward::types::Row>, $crate::Failure> {
                $forward!(read self, index => index.get(key))
            }

            async fn commit(&self, writes: &[$crate::Write]) -> Result<$crate::Commit, $crate::Failure> {
                $forward!(write self, index => index.commit(writes))
            }

            async fn list(
                &self,
                listing: &$crate::Listing,
                after: Option<&str>,
                limit: usize,
            ) -> Result<Option<$crate::Page<$crate::forward::types::Row>>, $crate::Failure> {
                $forward!(read self, index => index.list(listing, after, limit))
            }

            async fn intend(
                &self,
                key: &$crate::forward::types::ObjectKey,
                at: $crate::forward::types::Timestamp,
            ) -> Result<(), $crate::Failure> {
                $forward!(write self, index => index.intend(key, at))
            }

            async fn intents(
                &self,
                from: $crate::forward::types::Timestamp,
                after: Option<&str>,
                limit: usize,
            ) -> Result<$crate::Page<$crate::Intent>, $crate::Failure> {
                $forward!(read self, index => index.intents(from, after, limit))
            }

            async fn note_access(
                &self,
                entry: &$crate::forward::types::AuditEntry,
            ) -> Result<(), $crate::Failure> {
                $forward!(write self, index => index.note_access(entry))
            }

            async fn accesses(
                &self,
                file: &$crate::forward::types::FileId,
                after: Option<&str>,
                limit: usize,
            ) -> Result<Option<$crate::Page<$crate::forward::types::AuditEntry>>, $crate::Failure> {
                $forward!(read self, index => index.accesses(file, after, limit))
            }

            async fn count_reads(
                &self,
                reads: &[($crate::forward::types::ProofId, $crate::forward::types::Reads)],
            ) -> Result<(), $crate::Failure> {
                $forward!(count self, index => index.count_reads(reads))
            }

            async fn totals(&self) -> Result<$crate::forward::types::Totals, $crate::Failure> {
                $forward!(read self, index => index.totals())
            }

            async fn write_failure(&self) -> Option<$crate::FailureKind> {
                $forward!(ask self, index => index.write_failure())
            }
        }
    };
}

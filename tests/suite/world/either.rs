//! Adapters that are chosen at run time. One concrete type for all of them lets a test spawn the futures of a service.
//!
//! Every call yields before and after, so that tasks interleave even where an adapter never waits.

use std::sync::atomic::{AtomicU64, Ordering};

use credlink_disk::folder::Folder;
use credlink_dynamodb::DynamoIndex;
use credlink_embedded::index::EmbeddedIndex;
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::{
    SingleProvider, forward_checksummed, forward_index, forward_medium, forward_objects, on_variant,
};

/// Objects in memory or in a folder.
pub enum EitherObjects {
    Memory(MemoryObjects),
    Folder(Folder),
}

/// Rows in memory, in a file or on DynamoDB.
pub enum EitherIndex {
    Memory(MemoryIndex),
    Embedded(EmbeddedIndex),
    Dynamo(Box<DynamoIndex>),
}

/// Lets other tasks run, none to three times: with a fixed pattern they might march in step.
async fn give_way() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    for _ in 0..call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62 {
        tokio::task::yield_now().await;
    }
}

/// Calls the chosen adapter, and yields before and after.
macro_rules! either {
    (now $self:ident, $adapter:ident, $($variant:ident)|+ => $call:expr) => {
        on_variant!($self, $($variant)|+, $adapter => $call)
    };
    ($kind:ident $self:ident, $adapter:ident, $($variant:ident)|+ => $call:expr) => {{
        give_way().await;
        let answer = on_variant!($self, $($variant)|+, $adapter => $call.await);
        give_way().await;
        answer
    }};
}

macro_rules! either_objects {
    ($kind:ident $self:ident, $objects:ident => $call:expr) => {
        either!($kind $self, $objects, Memory | Folder => $call)
    };
}

macro_rules! either_index {
    ($kind:ident $self:ident, $index:ident => $call:expr) => {
        either!($kind $self, $index, Memory | Embedded | Dynamo => $call)
    };
}

forward_objects!(impl[] for EitherObjects, by either_objects);
forward_medium!(impl[] for EitherObjects, by either_objects);
forward_checksummed!(impl[] for EitherObjects, by either_objects);
forward_index!(impl[] for EitherIndex, by either_index);

impl SingleProvider for EitherObjects {}

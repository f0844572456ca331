//! Queue messages and events of a bucket from arbitrary text: a message that can be read is within its bounds, and reads back
//! the same. An event names no more uploads than it has room for.

#![no_main]

use credlink_core::bounds::{
    MAX_ITEM_KEY_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGE_ITEMS, MAX_MESSAGE_KEYS, MAX_REQUEST_ID_BYTES,
    MAX_SOURCE_CURSOR_BYTES,
};
use credlink_core::message::{Arrivals, Message, Work};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(arrivals) = text.parse::<Arrivals>() {
        assert!(
            arrivals.request_id.len() <= MAX_REQUEST_ID_BYTES && arrivals.uploads.len() <= text.len() / 32
        );
    }
    let Ok(message) = text.parse::<Message>() else { return };
    assert!(text.len() <= MAX_MESSAGE_BYTES && message.request_id.len() <= MAX_REQUEST_ID_BYTES);
    match &message.work {
        Work::Replicate { keys, .. } => assert!((1..=MAX_MESSAGE_KEYS).contains(&keys.len())),
        Work::Migrate { keys, .. } => {
            assert!((1..=MAX_MESSAGE_ITEMS).contains(&keys.len()));
            assert!(keys.iter().all(|key| (1..=MAX_ITEM_KEY_BYTES).contains(&key.len())));
        }
        Work::Finalise { .. } => {}
        Work::Enumerate { run, after, batch_size, .. } => {
            assert!(run.len() <= MAX_REQUEST_ID_BYTES);
            assert!(after.as_ref().is_none_or(|after| after.len() <= MAX_SOURCE_CURSOR_BYTES));
            assert!((1..=MAX_MESSAGE_ITEMS).contains(&usize::try_from(*batch_size).unwrap_or(usize::MAX)));
        }
    }
    assert_eq!(message.to_string().parse(), Ok(message));
});

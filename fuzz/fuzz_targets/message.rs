//! Messages of a queue, from any text: what is read is within its bounds, and reads back the same.

#![no_main]

use credlink_core::bounds::{MAX_MESSAGE_BYTES, MAX_MESSAGE_KEYS, MAX_REQUEST_ID_BYTES};
use credlink_core::message::{Message, Work};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(message) = text.parse::<Message>() else { return };
    assert!(text.len() <= MAX_MESSAGE_BYTES && message.request_id.len() <= MAX_REQUEST_ID_BYTES);
    let Work::Replicate { keys, .. } = &message.work;
    assert!((1..=MAX_MESSAGE_KEYS).contains(&keys.len()));
    assert_eq!(message.to_string().parse(), Ok(message));
});

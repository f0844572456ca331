//! Arbitrary bytes as gzip data, and as content to be stored.

#![no_main]

use credlink_core::encoding::Coding;
use credlink_core::encoding::{DecodeError, as_it_came, at_rest, at_rest_again, decode};
use libfuzzer_sys::fuzz_target;

/// A small limit, so that a bomb of a few hundred bytes reaches it: deflate compresses 1,032 to 1 at best.
const LIMIT: usize = 65_536;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(content) = decode(bytes, Some(Coding::Gzip), LIMIT) {
        let length = content.len();
        assert!(length <= LIMIT, "{length} bytes passed a limit of {LIMIT}");
        assert_eq!(
            decode(bytes, Some(Coding::Gzip), length).as_ref(),
            Ok(&content),
            "the limit is inclusive"
        );
        if let Some(less) = length.checked_sub(1) {
            assert_eq!(decode(bytes, Some(Coding::Gzip), less), Err(DecodeError::TooLong(less)));
        }
    }

    let stored = at_rest(bytes);
    assert!(stored.bytes.len() <= bytes.len(), "content never grows at rest");
    assert_eq!(decode(&stored.bytes, stored.coding, bytes.len()).as_deref(), Ok(bytes));

    let generation = bytes.first_chunk().map_or(1, |first| u32::from_le_bytes(*first));
    for form in [at_rest_again, as_it_came] {
        let [this, next] = [generation, generation.wrapping_add(1)].map(|number| form(bytes, number));
        assert_ne!(this.bytes, next.bytes, "each generation is stored in a form of its own");
        for form in [this, next] {
            assert_eq!(decode(&form.bytes, form.coding, bytes.len()).as_deref(), Ok(bytes));
        }
    }
});

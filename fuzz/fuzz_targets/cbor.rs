//! Arbitrary bytes as CBOR: nothing panics, whatever another reader accepts is accepted to the same byte, and the
//! values read are the values written.

#![no_main]

use ciborium::Value;
use credlink_core::cbor::Item;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let value: Option<Value> = ciborium::de::from_reader_with_recursion_limit(&mut rest, 48).ok();
    let Some((item, behind)) = Item::read(bytes) else {
        // The other reader accepts chunks within chunks, which RFC 8949, section 3.2.3 forbids.
        let strings = bytes.iter().filter(|byte| matches!(byte, 0x5f | 0x7f)).count();
        assert!(value.is_none() || strings > 1, "the other reader takes it");
        return;
    };
    assert_eq!([item.encoded(), behind].concat(), bytes, "nothing is lost");
    assert_eq!(Item::read(item.encoded()), Some((item, &[][..])), "an item ends where it ends");
    for end in 0..item.encoded().len() {
        assert_eq!(Item::read(&bytes[..end]), None, "what is cut short is no item");
    }
    walk(item);
    if let Some(value) = value {
        assert_eq!(behind, rest, "both end at the same byte");
        same(item, &value);
    }
});

/// Visits everything: elements and entries are items themselves.
fn walk(item: Item<'_>) {
    for element in item.elements().into_iter().flatten() {
        walk(element);
    }
    for (key, value) in item.entries().into_iter().flatten() {
        if let Some(name) = key.text() {
            assert!(key.is_text(&name));
            let _ = item.members([&name]);
        }
        walk(key);
        walk(value);
    }
}

/// Asserts that both readers agree on an item.
fn same(item: Item<'_>, value: &Value) {
    assert_eq!(item.text().as_deref(), value.as_text());
    // Large integers are byte strings with a tag here, and integers there.
    if let Some(bytes) = value.as_bytes() {
        assert_eq!(item.bytes().as_deref(), Some(bytes.as_slice()));
    }
    // The other reader treats undefined as null.
    assert!(value.is_null() || !item.is_null());
    if let Some(array) = value.as_array() {
        let elements: Vec<Item<'_>> = item.elements().expect("an array").collect();
        assert_eq!(elements.len(), array.len());
        elements.into_iter().zip(array).for_each(|(item, value)| same(item, value));
    }
    if let Some(map) = value.as_map() {
        let entries: Vec<(Item<'_>, Item<'_>)> = item.entries().expect("a map").collect();
        assert_eq!(entries.len(), map.len());
        for ((key, value), (other_key, other_value)) in entries.into_iter().zip(map) {
            same(key, other_key);
            same(value, other_value);
        }
    }
}

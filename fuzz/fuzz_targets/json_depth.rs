//! The depth that is counted before parsing equals the depth that the parser meets.

#![no_main]

use credlink_core::bounds::MAX_JSON_DEPTH;
use credlink_core::json::check_depth;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|text: &[u8]| {
    let checked = check_depth(text, MAX_JSON_DEPTH);
    if let Err(too_deep) = checked {
        assert_eq!(too_deep.limit, MAX_JSON_DEPTH);
        assert!(matches!(text[too_deep.at], b'[' | b'{'), "the bracket that is one too many");
        assert_eq!(
            check_depth(&text[..too_deep.at], MAX_JSON_DEPTH),
            Ok(()),
            "the first that is one too many"
        );
    }
    match serde_json::from_slice::<Value>(text) {
        Ok(value) => {
            let depth = depth(&value);
            assert_eq!(checked.is_ok(), depth <= MAX_JSON_DEPTH, "{depth} levels");
            assert_eq!(check_depth(text, depth), Ok(()));
            if let Some(less) = depth.checked_sub(1) {
                assert!(check_depth(text, less).is_err(), "{depth} levels are more than {less}");
            }
        }
        // serde_json refuses 128 levels: text that passed the check may fail for any reason but this one.
        Err(error) if checked.is_ok() => assert!(!error.to_string().contains("recursion limit"), "{error}"),
        Err(_) => {}
    }
    if checked.is_ok() {
        // A raw value is skipped without a bound of its own; a stack overflow would end the process.
        let _ = serde_json::from_slice::<&RawValue>(text);
    }
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

//! The bound on JSON's depth. `serde_json` bounds recursion for what it builds, but skips over raw values without one.

/// JSON that is nested too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("JSON may be nested {limit} levels deep here; at byte {at} it is deeper")]
pub struct TooDeep {
    /// The deepest nesting that is allowed.
    pub limit: usize,
    /// The offset of the bracket that is one too many.
    pub at: usize,
}

/// Checks the depth of `text` in one pass without allocation. It need not be valid JSON: the parser decides that.
///
/// # Errors
/// The offset of the bracket that is one too many.
pub fn check_depth(text: &[u8], limit: usize) -> Result<(), TooDeep> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (true, _) => {}
            (false, b'"') => in_string = true,
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > limit {
                    return Err(TooDeep { limit, at });
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, _) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_and_strings_do_not_count() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check_depth(nested(8).as_bytes(), 8), Ok(()));
        assert_eq!(check_depth(nested(9).as_bytes(), 8), Err(TooDeep { limit: 8, at: 8 }));
        let string = format!(r#"["{}\"{}"]"#, "[".repeat(100), "{".repeat(100));
        assert_eq!(check_depth(string.as_bytes(), 8), Ok(()));
    }
}

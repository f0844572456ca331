//! The parts of an upload, as its server describes them, and those that are missing.

use std::ops::Range;

use credlink_core::bounds::MAX_PARTS;

use crate::client::Upload;

/// The states in which bytes of an upload are missing.
const OPEN: [&str; 2] = ["pending", "uploading"];
/// The states in which an upload has ended.
const ENDED: [&str; 3] = ["ready", "rejected", "expired"];

impl Upload {
    /// Returns `true` if the upload takes bytes.
    pub(super) fn is_open(&self) -> bool {
        OPEN.contains(&self.state.as_str())
    }

    /// Returns `true` if the upload has ended.
    pub(super) fn has_ended(&self) -> bool {
        ENDED.contains(&self.state.as_str())
    }

    /// Returns the bytes of a part, from 1, or `None` if there is no such part.
    pub(super) fn part(&self, number: u32) -> Option<Range<u64>> {
        let length = self.part_size.unwrap_or(self.size).max(1);
        let start = u64::from(number.checked_sub(1)?).checked_mul(length)?;
        (start < self.size).then(|| start..self.size.min(start.saturating_add(length)))
    }

    /// Returns `true` if a part has arrived.
    pub(super) fn has(&self, number: u32) -> bool {
        self.bytes >= self.size || self.arrived.contains(&number)
    }

    /// Returns the numbers of the parts that are missing.
    pub(super) fn missing(&self) -> Vec<u32> {
        let all = (1..=MAX_PARTS).take_while(|number| self.part(*number).is_some());
        all.filter(|number| !self.has(*number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(more: &str) -> Upload {
        let id = "a".repeat(32);
        let text = format!(r#"{{"id":"{id}","state":"uploading","collection":"temp","size":25{more}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_is_missing_is_what_has_not_arrived() {
        let parts = upload(r#","bytes":15,"part_size":10,"parts":3,"arrived":[1,3]"#);
        assert_eq!((parts.missing(), parts.part(2), parts.part(3)), (vec![2], Some(10..20), Some(20..25)));
        assert_eq!((parts.part(0), parts.part(4)), (None, None));
        assert_eq!(upload("").missing(), [1]);
        assert_eq!(upload("").part(1), Some(0..25));
        assert_eq!(upload(r#","bytes":25"#).missing(), [0; 0]);
        // A server that contradicts itself makes no endless work.
        assert_eq!(upload(r#","part_size":0"#).missing().len(), 25);
        assert_eq!(upload(&format!(r#","part_size":{}"#, u64::MAX)).missing(), [1]);
        assert!(upload("").is_open() && !upload("").has_ended());
    }
}

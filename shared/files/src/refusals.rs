//! Accesses to private files that were refused to nobody in particular, which share entries of the log.
//!
//! Anybody may ask for a file any number of times, and a log with an entry for each would grow as fast as they ask. So the
//! first refusal is logged before it is answered, as every access is, and those that follow within a minute are counted.
//! Their entry is written with the next refusal, or when the sweeper comes. If the process ends before, their number is
//! lost, and the first one is not.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use credlink_core::audit::AuditEntry;
use credlink_core::file::FileId;
use credlink_core::http::peer::customer_network;
use credlink_core::time::Timestamp;

/// Seconds in which refusals share an entry.
const TOGETHER_SECONDS: u64 = 60;
/// The most sums that are kept apart by their addresses. When there are as many, all further addresses share one for each file
/// and status.
const MAX_SUMS: usize = 4_096;

/// The refusals that are not in the log yet, by their key.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<Key, Sum>>);

/// The properties that all refusals of one entry have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    file: FileId,
    /// The address, or the first 64 bits of one of IPv6, because one customer has at least that many addresses.
    network: Option<IpAddr>,
    status: u16,
}

/// The refusals of one key that are not in the log yet.
#[derive(Debug)]
struct Sum {
    /// The time of the last entry.
    logged: Timestamp,
    /// The refusals since then: the last one, with their number.
    waiting: Option<AuditEntry>,
}

impl Key {
    fn of(entry: &AuditEntry) -> Self {
        Self { file: entry.file, network: entry.address.map(customer_network), status: entry.status }
    }
}

impl Sum {
    fn is_over(&self, now: Timestamp) -> bool {
        // A clock that was set back ends the minute too.
        !(self.logged <= now && now < self.logged.plus_seconds(TOGETHER_SECONDS))
    }

    fn add(&mut self, entry: AuditEntry) {
        let before = self.waiting.as_ref().map_or(0, |waiting| waiting.times);
        self.waiting = Some(AuditEntry { times: before.saturating_add(entry.times), ..entry });
    }
}

impl Refusals {
    /// Adds a refusal. Returns the entry that has to be written before it is answered, if there is one.
    pub(crate) fn add(&self, entry: AuditEntry) -> Option<AuditEntry> {
        let mut sums = self.sums();
        let mut key = Key::of(&entry);
        if sums.len() >= MAX_SUMS && !sums.contains_key(&key) {
            sums.retain(|_, sum| sum.waiting.is_some() || !sum.is_over(entry.at));
            if sums.len() >= MAX_SUMS {
                key.network = None;
            }
        }
        let at = entry.at;
        let Some(sum) = sums.get_mut(&key) else {
            sums.insert(key, Sum { logged: at, waiting: None });
            return Some(entry);
        };
        let is_over = sum.is_over(at);
        sum.add(entry);
        if !is_over {
            return None;
        }
        sum.logged = at;
        sum.waiting.take()
    }

    /// Takes the entries that have waited for long enough.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<AuditEntry> {
        let mut due = Vec::new();
        self.sums().retain(|_, sum| {
            let is_over = sum.is_over(now);
            if is_over {
                due.extend(sum.waiting.take());
            }
            !is_over
        });
        due
    }

    /// Puts an entry back that could not be written. The next refusal of its kind is logged at once, together with it.
    pub(crate) fn put_back(&self, entry: &AuditEntry) {
        let long_ago = Timestamp::from_milliseconds(0);
        let mut sums = self.sums();
        let sum = sums.entry(Key::of(entry)).or_insert(Sum { logged: long_ago, waiting: None });
        sum.logged = long_ago;
        sum.add(entry.clone());
    }

    fn sums(&self) -> MutexGuard<'_, HashMap<Key, Sum>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::audit::{AuditAct, AuditRight};

    use super::*;

    fn refusal(address: &str, milliseconds: i64) -> AuditEntry {
        AuditEntry {
            at: Timestamp::from_milliseconds(1_798_761_600_000 + milliseconds),
            number: 7,
            file: FileId::from_random([1; 20]),
            act: AuditAct::Read,
            name: "original".to_owned(),
            status: 404,
            by: AuditRight::Nobody,
            tenant: None,
            subject: None,
            address: address.parse().ok(),
            request_id: milliseconds.to_string(),
            times: 1,
        }
    }

    fn told(entry: Option<AuditEntry>) -> Option<(u32, String)> {
        entry.map(|entry| (entry.times, entry.request_id))
    }

    #[test]
    fn the_first_refusal_of_an_address_is_logged_and_the_others_of_a_minute_together() {
        let refusals = Refusals::default();
        let add = |address: &str, at| told(refusals.add(refusal(address, at)));
        assert_eq!(add("192.0.2.1", 0), Some((1, "0".to_owned())));
        for at in 1..=5_000 {
            assert_eq!(add("192.0.2.1", at), None);
        }
        assert_eq!(add("192.0.2.2", 5_000), Some((1, "5000".to_owned())), "another address");
        let other = AuditEntry { status: 403, ..refusal("192.0.2.1", 5_000) };
        assert!(refusals.add(other).is_some(), "another answer");
        assert_eq!(add("192.0.2.1", 60_000), Some((5_001, "60000".to_owned())));
        assert_eq!(add("2001:db8:1:2::1", 60_000), Some((1, "60000".to_owned())));
        assert_eq!(add("2001:db8:1:2:ffff::1", 60_001), None, "the same customer");
        assert_eq!(add("192.0.2.1", -3_600_000), Some((1, "-3600000".to_owned())), "the clock was set back");
    }

    #[test]
    fn what_waits_is_due_after_a_minute_and_waits_on_if_it_cannot_be_written() {
        let refusals = Refusals::default();
        let now = |at| refusal("", at).at;
        for at in 0..10 {
            refusals.add(refusal("192.0.2.1", at));
        }
        assert!(refusals.due(now(59_999)).is_empty());
        let due = refusals.due(now(60_000));
        assert_eq!(due.iter().map(|entry| entry.times).collect::<Vec<_>>(), [9]);
        assert!(refusals.due(now(60_000)).is_empty() && refusals.sums().is_empty(), "nothing is kept");
        refusals.put_back(&due[0]);
        assert_eq!(told(refusals.add(refusal("192.0.2.1", 60_001))), Some((10, "60001".to_owned())));
    }

    #[test]
    fn addresses_without_number_take_no_memory_without_end() {
        let refusals = Refusals::default();
        let written = (0..20_000_u32).filter(|number| {
            let address = format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
            refusals.add(refusal(&address, i64::from(*number / 1_000))).is_some()
        });
        assert_eq!(written.count(), MAX_SUMS + 1);
        assert_eq!(refusals.sums().len(), MAX_SUMS + 1);
    }
}

//! Limits on the memory that requests and answers hold, in all, for one network and on one connection.
//!
//! An [`Account`] counts bytes and never waits: a caller that finds no room is told to come again. Content that several
//! answers share, such as a manifest in the cache, counts once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Maximum length of content that counts as small, in bytes. Each account keeps room for small content that nothing
/// longer may take. Small content is counted for each holder, even if they share it.
pub const SMALL_BYTES: usize = 65_536;

/// The memory that bodies may hold while they arrive or are processed: 96 MiB in all. 72 of them are for long ones, and
/// have room for five of the largest. This limit and the next two count bytes as they are sent.
pub const BODIES: Limit = Limit { bytes: 100_663_296, for_small: 25_165_824 };
/// The memory that bodies from one network may hold: two thirds of that of all bodies.
pub const BODIES_FROM_A_NETWORK: Limit = Limit { bytes: 67_108_864, for_small: 16_777_216 };
/// The memory that bodies on one connection may hold: two of the largest.
pub const BODIES_ON_A_CONNECTION: Limit = Limit { bytes: 29_360_128, for_small: 524_288 };
/// The bytes of bodies, unpacked, that are processed at once: a third of what bodies may hold, because a change makes
/// two or three times as much of its body. They have room for two of the largest.
pub const WORKED_ON_BYTES: usize = BODIES.bytes / 3;

/// The limit of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Maximum number of bytes.
    pub bytes: usize,
    /// Number of these bytes that are reserved for small content.
    pub for_small: usize,
}

/// Bytes that are held, up to a limit.
#[derive(Debug)]
pub struct Account {
    limit: Limit,
    held: AtomicUsize,
    /// Number of holders of each long content, by its address. The content stays in memory for as long as it is listed
    /// here.
    common: Mutex<HashMap<usize, usize>>,
}

impl Account {
    /// Creates an account that holds nothing.
    pub fn new(limit: Limit) -> Self {
        Self { limit, held: AtomicUsize::new(0), common: Mutex::default() }
    }

    /// Takes room for so many bytes. Returns `false` if there is none.
    pub fn take(&self, bytes: usize) -> bool {
        let reserved = if bytes > SMALL_BYTES { self.limit.for_small } else { 0 };
        let limit = self.limit.bytes.saturating_sub(reserved);
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= limit);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Gives room back.
    pub fn give(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes room for a content, unless it already has room. Returns `false` if there is none.
    pub fn take_content(&self, content: &Bytes) -> bool {
        if content.len() <= SMALL_BYTES {
            return self.take(content.len());
        }
        let mut common = self.common.lock().unwrap_or_else(PoisonError::into_inner);
        match common.entry(content.as_ptr().addr()) {
            Entry::Occupied(mut times) => *times.get_mut() += 1,
            Entry::Vacant(place) if self.take(content.len()) => {
                place.insert(1);
            }
            Entry::Vacant(_) => return false,
        }
        true
    }

    /// Gives back the room of a content that [`Self::take_content`] took.
    pub fn give_content(&self, content: &Bytes) {
        if content.len() <= SMALL_BYTES {
            return self.give(content.len());
        }
        let mut common = self.common.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut times) = common.entry(content.as_ptr().addr()) {
            *times.get_mut() -= 1;
            if *times.get() == 0 {
                times.remove();
                self.give(content.len());
            }
        }
    }

    /// Returns the number of bytes that are held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// Takes from all accounts, or from none.
pub fn of_all<const N: usize>(
    accounts: [&Account; N],
    take: impl Fn(&Account) -> bool,
    give: impl Fn(&Account),
) -> bool {
    let taken = accounts.iter().take_while(|account| take(account)).count();
    if taken < N {
        accounts.iter().take(taken).for_each(|account| give(account));
    }
    taken == N
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account::new(Limit { bytes: 4 * SMALL_BYTES, for_small: SMALL_BYTES })
    }

    #[test]
    fn room_is_limited_and_some_is_for_what_is_small() {
        let account = account();
        assert!(!account.take(4 * SMALL_BYTES), "the last part is for what is small");
        assert!(account.take(3 * SMALL_BYTES));
        assert!(!account.take(SMALL_BYTES + 1));
        assert!(account.take(SMALL_BYTES));
        assert!(!account.take(1));
        assert!(!account.take(usize::MAX));
        account.give(3 * SMALL_BYTES);
        assert!(account.take(2 * SMALL_BYTES));
    }

    #[test]
    fn the_largest_bodies_have_the_room_that_is_documented() {
        let of = |bytes: usize| bytes / credlink_core::bounds::MAX_BODY_BYTES;
        assert_eq!(of(BODIES.bytes - BODIES.for_small), 5);
        assert_eq!(of(BODIES_ON_A_CONNECTION.bytes - BODIES_ON_A_CONNECTION.for_small), 2);
        assert_eq!(of(WORKED_ON_BYTES), 2);
    }

    #[test]
    fn what_many_have_in_common_counts_once() {
        let account = account();
        let content = Bytes::from(vec![0; 2 * SMALL_BYTES]);
        let other = Bytes::from(vec![0; 2 * SMALL_BYTES]);
        for _ in 0..200 {
            assert!(account.take_content(&content.clone()));
        }
        assert_eq!(account.held(), content.len());
        assert!(!account.take_content(&other), "it is another one");
        for _ in 0..200 {
            account.give_content(&content);
        }
        assert_eq!(account.held(), 0);
        assert!(account.take_content(&other));
    }

    #[test]
    fn of_several_accounts_all_or_none_is_taken() {
        let (roomy, narrow) = (account(), Account::new(Limit { bytes: 10, for_small: 0 }));
        let take = |bytes| of_all([&roomy, &narrow], |a| a.take(bytes), |a| a.give(bytes));
        assert!(take(10));
        assert!(!take(1));
        assert_eq!((roomy.held(), narrow.held()), (10, 10));
    }
}

//! Combined listings of both providers.
//!
//! While one provider does not answer, the listing is that of the other provider alone. It may lack objects that only
//! the first has, so a listing is no proof of absence, and no caller treats it as one. Cleanup and fsck judge each
//! listed object by its row and by a read, and look up the objects that a row names by a read. A deletion removes the
//! earlier records that are listed; any others are served to nobody, and cleanup removes them.

use std::cmp::Ordering;

use credlink_ports::{Failure, Index, Listed, Objects, Page, Queue};
use futures_util::future::join;

use super::Replicated;
use crate::side::Missed;

impl<P: Objects, F: Objects, Q: Queue, I: Index> Replicated<P, F, Q, I> {
    /// Returns a page of each provider.
    pub(super) async fn pages(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> (Result<Page<Listed>, Missed>, Result<Page<Listed>, Missed>) {
        let (primary, fallback) = (&self.primary, &self.fallback);
        join(
            primary.call("list", primary.objects.list(prefix, after, limit)),
            fallback.call("list", fallback.objects.list(prefix, after, limit)),
        )
        .await
    }

    pub(super) async fn list_both(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Listed>, Failure> {
        let pages = self.pages(prefix, after, limit);
        match pages.await {
            (Ok(one), Ok(other)) => Ok(merge(one, other, limit)),
            (Ok(page), Err(_)) | (Err(_), Ok(page)) => Ok(behind_its_last(page)),
            (Err(missed), Err(_)) => Err(missed.failure),
        }
    }
}

/// Makes the page continue after its last key, because the next page may come from both providers.
fn behind_its_last(mut page: Page<Listed>) -> Page<Listed> {
    page.next = page.next.and_then(|_| page.items.last().map(|item| item.key.clone()));
    page
}

/// Merges two pages into one that has each key once, in order, and no key after the end of a page that continues.
pub(super) fn merge(one: Page<Listed>, other: Page<Listed>, limit: usize) -> Page<Listed> {
    let end =
        |page: &Page<Listed>| page.next.as_ref().and_then(|_| page.items.last().map(|item| item.key.clone()));
    let bound = [end(&one), end(&other)].into_iter().flatten().min();
    let mut items = Vec::with_capacity(limit);
    let mut more = bound.is_some();
    let (mut one, mut other) = (one.items.into_iter().peekable(), other.items.into_iter().peekable());
    loop {
        let order = match (one.peek(), other.peek()) {
            (Some(a), Some(b)) => a.key.cmp(&b.key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let next = match order {
            Ordering::Less => one.next(),
            Ordering::Greater => other.next(),
            Ordering::Equal => {
                other.next();
                one.next()
            }
        };
        let Some(next) = next else { break };
        if items.len() == limit || bound.as_ref().is_some_and(|bound| next.key > *bound) {
            more = true;
            break;
        }
        items.push(next);
    }
    let next = if more { items.last().map(|item: &Listed| item.key.clone()) } else { None };
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use credlink_core::time::Timestamp;

    use super::*;

    fn page(keys: &str, goes_on: bool) -> Page<Listed> {
        let listed =
            |key: char| Listed { key: key.to_string(), size: 1, modified: Timestamp::from_milliseconds(0) };
        Page { items: keys.chars().map(listed).collect(), next: goes_on.then(|| "opaque".to_owned()) }
    }

    #[test]
    fn each_key_is_in_one_page_once() {
        for (one, other, limit, keys, next) in [
            (("", false), ("", false), 3, "", None),
            (("ac", false), ("bc", false), 3, "abc", None),
            (("ac", false), ("bcd", false), 3, "abc", Some("c")),
            (("abc", true), ("x", false), 3, "abc", Some("c")),
            // The keys of the second page after `c` are not known yet.
            (("adz", false), ("bc", true), 3, "abc", Some("c")),
            (("", false), ("abc", true), 3, "abc", Some("c")),
        ] {
            let merged = merge(page(one.0, one.1), page(other.0, other.1), limit);
            let found: String = merged.items.into_iter().map(|item| item.key).collect();
            assert_eq!((found.as_str(), merged.next.as_deref()), (keys, next), "{one:?} {other:?}");
        }
    }
}

//! Traces of reads, and the hits of known cache policies on them.

use std::collections::BTreeSet;

use crate::material::noise;

/// Number of reads in a trace, without those of a scan.
const READS: usize = 100_000;
/// Number of items in a trace, without those of a scan.
const ITEMS: usize = 10_000;
/// Number of items that a scan reads.
const SCANNED: usize = 20_000;
/// Number of times that the popular items change.
const SHIFTS: usize = 3;

/// A trace of reads.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The name of the trace in tables.
    pub name: &'static str,
    /// The items that are read, by number.
    pub reads: Vec<usize>,
}

/// The traces on which caches are compared.
#[must_use]
pub fn all() -> [Trace; 3] {
    let popular = zipf(READS, ITEMS);
    // One read of the scan follows each read in the middle fifth of the trace.
    let start = (READS - SCANNED) / 2;
    let scan = popular.iter().enumerate().flat_map(|(at, item)| {
        let scanned = at.checked_sub(start).filter(|scanned| *scanned < SCANNED);
        [Some(*item), scanned.map(|scanned| ITEMS + scanned)].into_iter().flatten()
    });
    let shift = popular.iter().enumerate().map(|(at, item)| {
        let shifts = at * (SHIFTS + 1) / READS;
        (item + shifts * ITEMS / (SHIFTS + 1)) % ITEMS
    });
    let (scan, shift) = (scan.collect(), shift.collect());
    [
        Trace { name: "Zipf", reads: popular },
        Trace { name: "scan", reads: scan },
        Trace { name: "shift", reads: shift },
    ]
}

/// A trace of `reads` reads over `items` items. Item k is read with a probability proportional to 1 / (k + 1).
#[must_use]
pub fn zipf(reads: usize, items: usize) -> Vec<usize> {
    let mut sums = Vec::with_capacity(items);
    let mut sum = 0.0;
    for item in 0..items {
        sum += 1.0 / (item as f64 + 1.0);
        sums.push(sum);
    }
    let random = noise(1, reads * 8);
    let uniform =
        random.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes) as f64 / u64::MAX as f64);
    uniform.map(|share| sums.partition_point(|at| *at < share * sum).min(items - 1)).collect()
}

/// The hits of the best possible cache (Belady 1966), which knows the future, keeps the items that are read again
/// soonest, and need not keep the item that it has just loaded.
#[must_use]
pub fn optimal_hits(trace: &[usize], entries: usize) -> usize {
    let items = trace.iter().max().map_or(0, |item| item + 1);
    // The next read of each read's item, which is after the end if there is none.
    let mut next = vec![usize::MAX; trace.len()];
    let mut seen = vec![usize::MAX; items];
    for (at, item) in trace.iter().enumerate().rev() {
        next[at] = std::mem::replace(&mut seen[*item], at);
    }
    let mut held: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut hits = 0;
    for (at, item) in trace.iter().enumerate() {
        hits += usize::from(held.remove(&(at, *item)));
        held.insert((next[at], *item));
        if held.len() > entries {
            held.pop_last();
        }
    }
    hits
}

/// The hits of a cache that evicts the least recently read item.
#[must_use]
pub fn least_recent_hits(trace: &[usize], entries: usize) -> usize {
    let items = trace.iter().max().map_or(0, |item| item + 1);
    let mut last = vec![None; items];
    let mut held: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut hits = 0;
    for (at, item) in trace.iter().enumerate() {
        hits += usize::from(last[*item].is_some_and(|before| held.remove(&(before, *item))));
        held.insert((at, *item));
        last[*item] = Some(at);
        if held.len() > entries {
            held.pop_first();
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_traces_have_known_hits() {
        // Belady's own kind of example: with room for two, 1 is kept rather than 3, which never comes back.
        let trace = [1, 2, 3, 1, 2, 1, 2];
        assert_eq!((optimal_hits(&trace, 2), least_recent_hits(&trace, 2)), (4, 2));
        assert_eq!((optimal_hits(&trace, 3), least_recent_hits(&trace, 3)), (4, 4));
        assert_eq!((optimal_hits(&trace, 0), least_recent_hits(&trace, 0)), (0, 0));
    }

    #[test]
    fn no_cache_is_better_than_the_best() {
        let trace = zipf(10_000, 1_000);
        for entries in [1, 10, 100, 500] {
            assert!(optimal_hits(&trace, entries) >= least_recent_hits(&trace, entries));
        }
    }

    #[test]
    fn the_trace_follows_the_law() {
        let trace = zipf(100_000, 10_000);
        let count = |wanted: usize| trace.iter().filter(|item| **item == wanted).count();
        // The first item is read in 1 of 9.79 reads, 9.79 being the 10,000th harmonic number.
        assert!((9_900..=10_550).contains(&count(0)), "{}", count(0));
        assert!((900..=1_150).contains(&count(9)), "{}", count(9));
    }

    #[test]
    fn a_scan_reads_each_of_its_items_once() {
        let [zipf, scan, _] = all();
        let (scanned, popular): (Vec<_>, Vec<_>) =
            scan.reads.iter().copied().partition(|item| *item >= ITEMS);
        assert_eq!(popular, zipf.reads);
        assert_eq!(scanned, (ITEMS..ITEMS + SCANNED).collect::<Vec<_>>());
    }

    #[test]
    fn a_shift_makes_others_popular() {
        let [zipf, _, shift] = all();
        assert_eq!(shift.reads.len(), zipf.reads.len());
        for (quarter, reads) in shift.reads.chunks(READS / 4).enumerate() {
            let popular = quarter * ITEMS / 4;
            let count = reads.iter().filter(|item| **item == popular).count();
            assert!((2_400..=2_700).contains(&count), "{popular}: {count}");
        }
    }
}

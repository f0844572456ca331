//! The contents of long objects that were checked as a whole, so that a part of one that is read again costs only itself.

use std::convert::Infallible;
use std::hash::RandomState;
use std::sync::Arc;

use credlink_core::hash::Digest;
use credlink_ports::{Failure, PieceSums};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

/// The number of checksums that are remembered together: 2 MiB of them, for the pieces of 16 GiB.
const REMEMBERED_SUMS: u64 = 131_072;
/// The number of contents that are remembered, if they are short.
const REMEMBERED_CONTENTS: usize = 4_096;

/// A content as an object of one place has it: the key, and the digest that the bytes were written with. Another object with the
/// same content may be damaged where this one is not.
pub type CheckedObject = (String, Digest);

/// The objects of one place that were checked as a whole a while ago. Each part that is read of a long content, as a player does of
/// a video, would otherwise cost a reading of all of it. Those that are read again stay the longest.
#[derive(Debug)]
pub struct CheckedContents(Cache<CheckedObject, Checked, Weights, RandomState>);

/// The outcome of a check. A failure is there for those who waited for the check, and is removed at once.
type Checked = Result<Arc<PieceSums>, Failure>;

/// The weight of a content: the number of its checksums, and 32 more, so that at most 4,096 contents are remembered.
#[derive(Clone, Copy, Debug)]
struct Weights;

impl Weighter<CheckedObject, Checked> for Weights {
    fn weight(&self, _: &CheckedObject, checked: &Checked) -> u64 {
        let pieces = checked.as_ref().map_or(0, |sums| sums.pieces());
        pieces as u64 + REMEMBERED_SUMS / REMEMBERED_CONTENTS as u64
    }
}

impl Default for CheckedContents {
    fn default() -> Self {
        // One shard, so that one content may take nearly all of the room.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(REMEMBERED_CONTENTS)
            .weight_capacity(REMEMBERED_SUMS)
            .build();
        let (hasher, lifecycle) = (RandomState::new(), DefaultLifecycle::default());
        Self(match options {
            Ok(options) => Cache::with_options(options, Weights, hasher, lifecycle),
            // Only missing bounds are refused.
            Err(_) => Cache::with(REMEMBERED_CONTENTS, REMEMBERED_SUMS, Weights, hasher, lifecycle),
        })
    }
}

impl CheckedContents {
    /// Returns the checksums of an object's pieces, which are remembered, or which `check` finds. Of those who open an object at
    /// the same time, one checks it, and the others wait, also for its failure. If its check is given up, another one checks.
    ///
    /// # Errors
    /// Fails as `check` does.
    pub async fn sums(
        &self,
        object: &CheckedObject,
        check: impl Future<Output = Result<PieceSums, Failure>>,
    ) -> Result<Arc<PieceSums>, Failure> {
        let check = async { Ok::<Checked, Infallible>(check.await.map(Arc::new)) };
        let Ok(checked) = self.0.get_or_insert_async(object, check).await;
        if checked.is_err() {
            self.0.remove(object);
        }
        checked
    }

    /// Forgets an object, because its bytes could not be read, or are others: the next reader checks as a whole what it opens, and
    /// finds another copy.
    pub fn forget(&self, object: &CheckedObject) {
        self.0.remove(object);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use credlink_core::bounds::MAX_ANSWER_PIECE_BYTES;
    use credlink_ports::FailureKind;
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use tokio::task::yield_now;

    use super::*;

    fn object(key: usize, digest: usize) -> CheckedObject {
        (key.to_string(), Digest::of(&digest.to_le_bytes()))
    }

    fn sums(pieces: usize) -> PieceSums {
        let mut sums = PieceSums::default();
        sums.add(&vec![7; pieces * MAX_ANSWER_PIECE_BYTES]);
        sums
    }

    /// Opens an object, and returns `true` if it had to be checked.
    async fn is_checked(contents: &CheckedContents, object: &CheckedObject) -> bool {
        let mut is_checked = false;
        let check = async {
            is_checked = true;
            Ok(sums(1))
        };
        contents.sums(object, check).await.unwrap();
        is_checked
    }

    #[tokio::test]
    async fn objects_are_remembered_within_a_bound() {
        let contents = CheckedContents::default();
        for number in 0..5_000 {
            assert!(is_checked(&contents, &object(number, number)).await);
            assert!(!is_checked(&contents, &object(0, 0)).await, "it is read again and again");
        }
        // The same content under another key, and another content under the same key.
        assert!(is_checked(&contents, &object(1, 0)).await && is_checked(&contents, &object(0, 1)).await);
        assert!((3_900..=4_096).contains(&contents.0.len()), "{}", contents.0.len());
        contents.forget(&object(0, 0));
        assert!(is_checked(&contents, &object(0, 0)).await);
    }

    #[tokio::test]
    async fn of_many_readers_one_checks() {
        let (contents, checks) = (CheckedContents::default(), AtomicUsize::new(0));
        let read = |fails: bool| {
            let (contents, checks) = (&contents, &checks);
            async move {
                let check = async {
                    checks.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                    let failure = Failure {
                        provider: "a disk",
                        kind: FailureKind::Unavailable,
                        message: String::new(),
                    };
                    if fails { Err(failure) } else { Ok(sums(2)) }
                };
                contents.sums(&object(1, 1), check).await.map(|sums| sums.pieces())
            }
        };
        let found = join_all((0..10).map(|_| read(true))).await;
        assert!(found.iter().all(Result::is_err));
        assert_eq!(checks.swap(0, Ordering::Relaxed), 1, "all have the failure of one");
        let found = join_all((0..10).map(|_| read(false))).await;
        assert!(found.iter().all(|found| found.as_ref().is_ok_and(|pieces| *pieces == 2)));
        assert_eq!(checks.swap(0, Ordering::Relaxed), 1);
        // A reader who gives up leaves the check to another one.
        contents.forget(&object(1, 1));
        let (mut first, mut second) = (Box::pin(read(false)), Box::pin(read(false)));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        assert_eq!(checks.load(Ordering::Relaxed), 1);
        drop(first);
        assert_eq!(second.await.ok(), Some(2));
        assert_eq!(checks.load(Ordering::Relaxed), 2);
    }
}

//! The current request: its ID appears in every line of the log, and in every message that the request queues.
//!
//! The ID reaches the adapters without passing through the ports: it is set while the request's own future runs, on any
//! thread and in any runtime.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use tracing::Instrument as _;

thread_local! {
    static CURRENT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Returns the ID of the current request, or `None` outside of one: in a background task, or in a thread or task that
/// the request started.
#[must_use]
pub fn current_request_id() -> Option<Arc<str>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs `work` as part of the request `id`. Meanwhile, [`current_request_id`] returns that ID, and every line of the
/// log is in a span `request` with the field `request_id`. Work from a queue runs under the ID that its message names.
pub async fn within_request<F: Future>(id: Arc<str>, work: F) -> F::Output {
    // The span has the level of the most severe line, so that no level filter drops the span and keeps the line. If
    // nothing is logged, it costs one comparison.
    let span = tracing::error_span!("request", request_id = &*id);
    let mut work = pin!(work.instrument(span));
    poll_fn(|context| {
        let _entered = Entered::new(Arc::clone(&id));
        work.as_mut().poll(context)
    })
    .await
}

/// A guard for the time in which a future runs. When dropped, also by a panic, it restores the previous request.
struct Entered {
    before: Option<Arc<str>>,
}

impl Entered {
    fn new(id: Arc<str>) -> Self {
        Self { before: CURRENT.replace(Some(id)) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn current() -> Option<String> {
        current_request_id().map(|id| id.to_string())
    }

    /// Yields to other tasks once.
    async fn give_way() {
        let mut has_waited = false;
        poll_fn(|_| if std::mem::replace(&mut has_waited, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }

    #[test]
    fn requests_on_one_thread_are_kept_apart() {
        let work = |id: &str| {
            Box::pin(within_request(id.into(), async {
                let before = current();
                give_way().await;
                (before, current())
            }))
        };
        let (mut first, mut second) = (work("a"), work("b"));
        let mut context = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert_eq!(current(), None);
        assert!(second.as_mut().poll(&mut context).is_pending());
        let seen = |id: &str| Poll::Ready((Some(id.to_owned()), Some(id.to_owned())));
        assert_eq!(first.as_mut().poll(&mut context), seen("a"));
        assert_eq!(second.as_mut().poll(&mut context), seen("b"));
        assert_eq!(current(), None);
    }

    #[test]
    fn the_inner_request_ends_before_the_outer_and_a_panic_ends_both() {
        let mut context = Context::from_waker(Waker::noop());
        let mut outer = Box::pin(within_request("outer".into(), async {
            let inner = within_request("inner".into(), async { current() }).await;
            (inner, current())
        }));
        let both = (Some("inner".to_owned()), Some("outer".to_owned()));
        assert_eq!(outer.as_mut().poll(&mut context), Poll::Ready(both));
        let mut broken = Box::pin(within_request("broken".into(), async {
            ready(()).await;
            panic!("on purpose")
        }));
        let caught = catch_unwind(AssertUnwindSafe(|| -> Poll<()> { broken.as_mut().poll(&mut context) }));
        assert!(caught.is_err());
        assert_eq!(current(), None);
    }
}

//! Futures as promises: the executor of everything asynchronous in this crate.
//!
//! The executor of wasm-bindgen has one queue of microtasks for all requests of an isolate: a step of one request may
//! run in the context of another, whose streams and responses it must not touch. Moreover, the Workers runtime takes
//! some microseconds per microtask, twice for every await. Here, a future continues at once, within the call that
//! reports the event it waited for, and so in its own request's context.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The state of a task.
enum Step {
    /// The task waits to be woken.
    Waits(Task),
    /// The task is being polled.
    Runs,
    /// The task is being polled, and was woken again meanwhile.
    RunsOn,
}

thread_local! {
    static STEPS: Cell<BTreeMap<u64, Step>> = const { Cell::new(BTreeMap::new()) };
    static LATEST: Cell<u64> = const { Cell::new(0) };
}

/// Changes the set of tasks. `change` must not drop anything that holds a bell, because dropping a bell calls this
/// function again.
fn change<R>(change: impl FnOnce(&mut BTreeMap<u64, Step>) -> R) -> R {
    STEPS.with(|steps| {
        let mut all = steps.take();
        let result = change(&mut all);
        steps.set(all);
        result
    })
}

/// The waker of a task, held by whatever the task waits for. If it is dropped without waking, as the runtime does with
/// promises that never settle, the task ends.
struct Bell(u64);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        run(self.0, &Waker::from(self));
    }

    fn wake_by_ref(self: &Arc<Self>) {
        run(self.0, &Waker::from(Arc::clone(self)));
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // The task is dropped outside of `change`, because it may hold the bells of other tasks.
        drop(change(|steps| steps.remove(&self.0)));
    }
}

fn run(id: u64, bell: &Waker) {
    loop {
        let step = change(|steps| {
            let step = steps.get_mut(&id)?;
            let next = if matches!(step, Step::Waits(_)) { Step::Runs } else { Step::RunsOn };
            Some(std::mem::replace(step, next))
        });
        // The task has ended, or is being polled further up the stack and continues there.
        let Some(Step::Waits(mut task)) = step else { return };
        if task.as_mut().poll(&mut Context::from_waker(bell)).is_ready() {
            change(|steps| steps.remove(&id));
            return;
        }
        let before = change(|steps| steps.insert(id, Step::Waits(task)));
        if !matches!(before, Some(Step::RunsOn)) {
            return;
        }
    }
}

/// Puts a rare future apart. V8 compiles a function as a whole when it is first called, so the code of what most
/// requests do not need should not be in the functions that they call.
pub fn apart<'a, T>(future: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(future)
}

/// Runs a future until it has to wait, and resumes it whenever it is woken. The promise settles with the future's
/// result.
pub fn promise(future: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    let mut future = Some(future);
    Promise::new(&mut |resolve: Function, reject: Function| {
        let Some(future) = future.take() else { return };
        let task: Task = Box::pin(async move {
            let (settle, value) = match future.await {
                Ok(value) => (resolve, value),
                Err(value) => (reject, value),
            };
            // Settling a promise does not fail.
            let _ = settle.call1(&JsValue::UNDEFINED, &value);
        });
        start(task);
    })
}

fn start(task: Task) {
    let id = LATEST.with(|latest| {
        latest.set(latest.get().wrapping_add(1));
        latest.get()
    });
    change(|steps| steps.insert(id, Step::Waits(task)));
    run(id, &Waker::from(Arc::new(Bell(id))));
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::task::Poll;

    use super::*;

    /// Returns a task that counts its polls and is pending `waits` times; its waker is placed in `bell`.
    fn counted(waits: u32, bell: &Rc<Cell<Option<Waker>>>) -> (Rc<Cell<u32>>, Task) {
        let (steps, bell) = (Rc::new(Cell::new(0)), Rc::clone(bell));
        let seen = Rc::clone(&steps);
        let task = poll_fn(move |context| {
            steps.set(steps.get() + 1);
            if steps.get() > waits {
                return Poll::Ready(());
            }
            bell.set(Some(context.waker().clone()));
            Poll::Pending
        });
        (seen, Box::pin(task))
    }

    #[test]
    fn a_task_goes_on_when_its_bell_rings_and_not_before() {
        let bell = Rc::new(Cell::new(None));
        let (steps, task) = counted(2, &bell);
        start(task);
        assert_eq!(steps.get(), 1);
        for expected in [2, 3] {
            bell.take().unwrap().wake();
            assert_eq!(steps.get(), expected);
        }
        assert!(bell.take().is_none() && change(|steps| steps.is_empty()));
        assert_eq!(Rc::strong_count(&steps), 1, "what has ended is dropped");
    }

    #[test]
    fn a_bell_that_rings_at_once_is_heard() {
        let steps = Rc::new(Cell::new(0));
        let seen = Rc::clone(&steps);
        start(Box::pin(poll_fn(move |context| {
            steps.set(steps.get() + 1);
            context.waker().wake_by_ref();
            if steps.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
        })));
        assert_eq!(seen.get(), 3);
        assert!(change(|steps| steps.is_empty()));
    }

    #[test]
    fn a_task_that_nobody_can_wake_is_dropped() {
        let bell = Rc::new(Cell::new(None));
        let (steps, task) = counted(1, &bell);
        start(task);
        assert_eq!(Rc::strong_count(&steps), 2);
        drop(bell.take());
        assert_eq!(Rc::strong_count(&steps), 1);
        assert!(change(|steps| steps.is_empty()));
    }
}

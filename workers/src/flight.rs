//! Single flight: concurrent requests for the same thing in one isolate share one load.
//!
//! A load is shared until its result is in the cache. If sharing ended when the result arrived, every request between
//! that moment and the write to the cache would start a load of its own.
//!
//! The runtime binds streams and responses to the request that read them. Only plain data is therefore shared here, and
//! every waiting request uses a promise of its own.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::thread::LocalKey;

use credlink_core::time::Timestamp;
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

use crate::runtime::{self, Broken};
use crate::task;

/// The result of a load.
pub struct Brought<T> {
    /// The value, which all requests that share the load receive.
    pub what: T,
    /// Milliseconds since its start for which others may still join a completed load.
    pub good_for: u64,
}

/// A load that is in progress, or whose result is being cached.
struct Flight<T> {
    departed: Timestamp,
    /// Longest duration of the load and of caching its result, in milliseconds.
    patience: u64,
    result: OnceCell<Brought<T>>,
    landed: OnceCell<Promise>,
}

impl<T> Flight<T> {
    /// Returns `true` if another request may still join this flight. A result older than its own lifetime must not be
    /// shared, as if it were in the cache already, and a flight whose request was cancelled never lands.
    fn can_be_joined(&self, now: Timestamp) -> bool {
        let age = now.milliseconds().saturating_sub(self.departed.milliseconds());
        let good_for = self.result.get().map_or(u64::MAX, |brought| brought.good_for);
        u64::try_from(age).unwrap_or(0) < good_for.min(self.patience)
    }
}

/// The loads in progress, by the name of what they load.
pub struct Flights<T>(Cell<BTreeMap<String, Rc<Flight<T>>>>);

impl<T> Flights<T> {
    /// Creates an empty set of flights.
    pub const fn new() -> Self {
        Self(Cell::new(BTreeMap::new()))
    }

    fn change<R>(&self, change: impl FnOnce(&mut BTreeMap<String, Rc<Flight<T>>>) -> R) -> R {
        let mut flights = self.0.take();
        let result = change(&mut flights);
        self.0.set(flights);
        result
    }

    fn join(&self, name: &str) -> Option<Rc<Flight<T>>> {
        let now = runtime::now();
        self.change(|flights| flights.get(name).filter(|flight| flight.can_be_joined(now)).cloned())
    }

    /// Returns `true` if a load of `name` is in progress that can be joined.
    pub fn is_under_way(&self, name: &str) -> bool {
        self.join(name).is_some()
    }

    /// Adds a flight, and removes all flights that can no longer be joined.
    fn begin(&self, name: &str, flight: &Rc<Flight<T>>) {
        self.change(|flights| {
            flights.retain(|_, known| known.can_be_joined(flight.departed));
            flights.insert(name.to_owned(), Rc::clone(flight));
        });
    }

    fn end(&self, name: &str, flight: &Rc<Flight<T>>) {
        self.change(|flights| {
            if flights.get(name).is_some_and(|known| Rc::ptr_eq(known, flight)) {
                flights.remove(name);
            }
        });
    }
}

/// Returns the result of `load`, or of a load of the same name that is already in progress. A flight ends when the
/// future that `load` returns beside its result has cached that result, or else `milliseconds` after its start. The
/// load continues when its client disconnects, because others may wait for it.
///
/// # Errors
/// No result within `milliseconds`.
pub async fn share<T: Clone + 'static, K: Future<Output = ()> + 'static>(
    flights: &'static LocalKey<Flights<T>>,
    name: &str,
    context: &JsValue,
    milliseconds: u64,
    load: impl Future<Output = (Brought<T>, K)> + 'static,
) -> Result<T, Broken> {
    let under_way = flights.with(|flights| flights.join(name));
    let is_own = under_way.is_none();
    let flight = under_way.unwrap_or_else(|| depart(flights, name, context, milliseconds, load));
    match flight.landed.get().filter(|_| flight.result.get().is_none()) {
        // The load needs no timeout here, because every step of it is bounded.
        Some(landed) if is_own => runtime::settled(landed).await.map(drop)?,
        Some(landed) => runtime::wait_for(landed, milliseconds).await.inspect_err(|_| {
            // The request of the load was cancelled before the load was done, so the next request starts a new load.
            flights.with(|flights| flights.end(name, &flight));
        })?,
        None => {}
    }
    let brought = flight.result.get().map(|brought| brought.what.clone());
    brought.ok_or_else(|| Broken("a load did not end".to_owned()))
}

fn depart<T: 'static, K: Future<Output = ()> + 'static>(
    flights: &'static LocalKey<Flights<T>>,
    name: &str,
    context: &JsValue,
    milliseconds: u64,
    load: impl Future<Output = (Brought<T>, K)> + 'static,
) -> Rc<Flight<T>> {
    let departed = runtime::now();
    let flight = Rc::new(Flight {
        departed,
        patience: milliseconds,
        result: OnceCell::new(),
        landed: OnceCell::new(),
    });
    flights.with(|flights| flights.begin(name, &flight));
    let mut land = None;
    let _ = flight.landed.set(Promise::new(&mut |resolve: Function, _: Function| land = Some(resolve)));
    let (aboard, key) = (Rc::clone(&flight), name.to_owned());
    let journey = task::promise(async move {
        let (brought, keeping) = load.await;
        // No other code sets the result, and settling a promise does not fail.
        let _ = aboard.result.set(brought);
        let _ = land.map(|land| land.call0(&JsValue::UNDEFINED));
        keeping.await;
        flights.with(|flights| flights.end(&key, &aboard));
        Ok(JsValue::UNDEFINED)
    });
    runtime::go_on(context, &journey);
    flight
}

//! One load for all who ask for the same thing at the same time, in one isolate.
//!
//! The runtime ties what is read from outside (streams, responses) to the request that read it. What is shared here is
//! therefore plain data, and who waits does so by a promise of its own.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::thread::LocalKey;

use js_sys::Promise;
use wasm_bindgen::JsValue;

use crate::runtime::{self, Broken};
use crate::task;

/// A load that is under way.
struct Flight<T> {
    result: OnceCell<T>,
    landed: OnceCell<Promise>,
}

/// The loads that are under way, by what they load.
pub struct Flights<T>(Cell<BTreeMap<String, Rc<Flight<T>>>>);

impl<T> Flights<T> {
    /// None yet.
    pub const fn new() -> Self {
        Self(Cell::new(BTreeMap::new()))
    }

    fn change<R>(&self, change: impl FnOnce(&mut BTreeMap<String, Rc<Flight<T>>>) -> R) -> R {
        let mut flights = self.0.take();
        let result = change(&mut flights);
        self.0.set(flights);
        result
    }

    /// Whether somebody loads `name` now.
    pub fn is_under_way(&self, name: &str) -> bool {
        self.change(|flights| flights.contains_key(name))
    }

    fn end(&self, name: &str, flight: &Rc<Flight<T>>) {
        self.change(|flights| {
            if flights.get(name).is_some_and(|known| Rc::ptr_eq(known, flight)) {
                flights.remove(name);
            }
        });
    }
}

/// What `load` comes to: of this call, or of one that began before and has not ended. A load goes on when its client goes
/// away, because others may wait for it.
///
/// # Errors
/// Nothing came within `milliseconds`.
pub async fn share<T: Clone + 'static>(
    flights: &'static LocalKey<Flights<T>>,
    name: &str,
    context: &JsValue,
    milliseconds: u64,
    load: impl Future<Output = T> + 'static,
) -> Result<T, Broken> {
    let under_way = flights.with(|flights| flights.change(|flights| flights.get(name).cloned()));
    let is_own = under_way.is_none();
    let flight = under_way.unwrap_or_else(|| depart(flights, name, context, load));
    match flight.landed.get() {
        // It ends by itself: what it does is bounded.
        Some(landed) if is_own => runtime::settled(landed).await.map(drop)?,
        Some(landed) => runtime::wait_for(landed, milliseconds).await.inspect_err(|_| {
            // Its request was ended before it was done. Who comes next begins anew.
            flights.with(|flights| flights.end(name, &flight));
        })?,
        None => {}
    }
    flight.result.get().cloned().ok_or_else(|| Broken("a load did not end".to_owned()))
}

fn depart<T: 'static>(
    flights: &'static LocalKey<Flights<T>>,
    name: &str,
    context: &JsValue,
    load: impl Future<Output = T> + 'static,
) -> Rc<Flight<T>> {
    let flight = Rc::new(Flight { result: OnceCell::new(), landed: OnceCell::new() });
    flights.with(|flights| flights.change(|flights| flights.insert(name.to_owned(), Rc::clone(&flight))));
    let (aboard, key) = (Rc::clone(&flight), name.to_owned());
    let promise = task::promise(async move {
        let result = load.await;
        // Nobody else sets it.
        let _ = aboard.result.set(result);
        flights.with(|flights| flights.end(&key, &aboard));
        Ok(JsValue::UNDEFINED)
    });
    runtime::go_on(context, &promise);
    let _ = flight.landed.set(promise);
    flight
}

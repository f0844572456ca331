//! One load for all who ask for the same thing at the same time, in one isolate.
//!
//! It is theirs until what it brought is kept: between the answer and the cache lies a moment in which everybody would begin
//! anew.
//!
//! The runtime ties what is read from outside (streams, responses) to the request that read it. What is shared here is
//! therefore plain data, and who waits does so by a promise of its own.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::thread::LocalKey;

use credlink_core::time::Timestamp;
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

use crate::runtime::{self, Broken};
use crate::task;

/// What a load brings.
pub struct Brought<T> {
    /// To everybody who shares it.
    pub what: T,
    /// For how many milliseconds after its beginning somebody may join it, when it has come.
    pub good_for: u64,
}

/// A load that is under way, or whose result is being kept.
struct Flight<T> {
    departed: Timestamp,
    /// For how many milliseconds it may take, with what is left to do then.
    patience: u64,
    result: OnceCell<Brought<T>>,
    landed: OnceCell<Promise>,
}

impl<T> Flight<T> {
    /// What takes long to be kept, or never is, grows old here as it would in the cache; and whose request was ended before
    /// it was done does not come any more.
    fn can_be_joined(&self, now: Timestamp) -> bool {
        let age = now.milliseconds().saturating_sub(self.departed.milliseconds());
        let good_for = self.result.get().map_or(u64::MAX, |brought| brought.good_for);
        u64::try_from(age).unwrap_or(0) < good_for.min(self.patience)
    }
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

    fn join(&self, name: &str) -> Option<Rc<Flight<T>>> {
        let now = runtime::now();
        self.change(|flights| flights.get(name).filter(|flight| flight.can_be_joined(now)).cloned())
    }

    /// Whether somebody loads `name` now.
    pub fn is_under_way(&self, name: &str) -> bool {
        self.join(name).is_some()
    }

    /// Takes a flight in, and lets those go that nobody can join any more.
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

/// What `load` brings: of this call, or of one that began before and has not ended. It ends with the future that it gives
/// beside, in which what it brought is kept, or counts as ended `milliseconds` after its beginning. It goes on when its client
/// goes away, because others may wait for it.
///
/// # Errors
/// Nothing came within `milliseconds`.
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
        // It ends by itself: what it does is bounded.
        Some(landed) if is_own => runtime::settled(landed).await.map(drop)?,
        Some(landed) => runtime::wait_for(landed, milliseconds).await.inspect_err(|_| {
            // Its request was ended before it was done. Who comes next begins anew.
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
        // Nobody else sets it, and the function that settles a promise does not fail.
        let _ = aboard.result.set(brought);
        let _ = land.map(|land| land.call0(&JsValue::UNDEFINED));
        keeping.await;
        flights.with(|flights| flights.end(&key, &aboard));
        Ok(JsValue::UNDEFINED)
    });
    runtime::go_on(context, &journey);
    flight
}

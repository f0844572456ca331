//! The metrics since the last flush.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString,
};

use super::values::{Label, Named, Values};
use super::{EmfError, MAX_CHARACTERS, MAX_DIMENSIONS};

/// The labels that are dimensions.
const LABELS: [&str; 2] = ["provider", "layer"];

/// The maximum number of values of a histogram that are kept until a flush: more than any invocation makes. It bounds
/// the memory of a process that never flushes; further values are dropped.
const MAX_KEPT: usize = 20_000;

/// A registered metric.
#[derive(Debug, Clone)]
enum Slot {
    Count(Arc<Count>),
    Level(Arc<Level>),
    Values(Arc<Kept>),
}

/// The growth since the last flush, and the highest absolute value that was set.
#[derive(Debug, Default)]
struct Count {
    growth: AtomicU64,
    absolute: AtomicU64,
}

/// A gauge, and `true` if it was set since the last flush.
#[derive(Debug, Default)]
struct Level(Mutex<(f64, bool)>);

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<f64>>);

/// The metrics of a function.
#[derive(Debug)]
pub(super) struct Emf {
    namespace: String,
    dimensions: Vec<Label>,
    slots: Mutex<BTreeMap<Vec<Label>, BTreeMap<String, Slot>>>,
}

impl Emf {
    pub(super) fn new(namespace: &str, dimensions: &[(&str, &str)]) -> Result<Self, EmfError> {
        let fits = |text: &str| !text.is_empty() && text.chars().count() <= MAX_CHARACTERS;
        if !fits(namespace) {
            return Err(EmfError::Namespace(namespace.to_owned()));
        }
        if let Some((name, _)) = dimensions.iter().find(|(name, value)| !fits(name) || !fits(value)) {
            return Err(EmfError::Dimension((*name).to_owned()));
        }
        if dimensions.len() + LABELS.len() > MAX_DIMENSIONS {
            return Err(EmfError::Dimensions(dimensions.len()));
        }
        let dimensions =
            dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Self { namespace: namespace.to_owned(), dimensions, slots: Mutex::default() })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn dimensions(&self) -> &[Label] {
        &self.dimensions
    }

    /// Takes the values since the last call, by labels. Metrics without any are left out.
    pub(super) fn take(&self) -> Vec<(Vec<Label>, Vec<Named>)> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = slots.iter().map(|(labels, slots)| {
            let values = slots.iter().filter_map(|(name, slot)| Some((name.clone(), slot.take()?)));
            (labels.clone(), values.collect())
        });
        taken.collect()
    }

    /// Returns the slot of a metric. Metrics that differ only in labels other than dimensions share one.
    fn slot(&self, key: &Key, new: impl FnOnce() -> Slot) -> Slot {
        let labels = key.labels().filter(|label| LABELS.contains(&label.key()));
        let mut labels: Vec<Label> =
            labels.map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        labels.sort();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(labels).or_default().entry(key.name().to_owned()).or_insert_with(new).clone()
    }
}

impl Slot {
    fn take(&self) -> Option<Values> {
        match self {
            Self::Count(count) => {
                let growth = count.growth.swap(0, Ordering::Relaxed);
                (growth > 0).then_some(Values::Count(growth))
            }
            Self::Level(level) => {
                let mut level = level.0.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut level.1).then_some(Values::One(level.0))
            }
            Self::Values(kept) => {
                let values = std::mem::take(&mut *kept.0.lock().unwrap_or_else(PoisonError::into_inner));
                (!values.is_empty()).then_some(Values::Many(values))
            }
        }
    }
}

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        self.growth.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        let before = self.absolute.fetch_max(value, Ordering::Relaxed);
        self.increment(value.saturating_sub(before));
    }
}

impl Level {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = change(level.0);
        // JSON has no infinity.
        if value.is_finite() {
            *level = (value, true);
        }
    }
}

impl GaugeFn for Level {
    fn increment(&self, value: f64) {
        self.change(|level| level + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|level| level - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Kept {
    fn record(&self, value: f64) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() < MAX_KEPT && value.is_finite() {
            values.push(value);
        }
    }
}

impl Recorder for Emf {
    fn describe_counter(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match self.slot(key, || Slot::Count(Arc::default())) {
            Slot::Count(count) => Counter::from_arc(count),
            Slot::Level(_) | Slot::Values(_) => Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        match self.slot(key, || Slot::Level(Arc::default())) {
            Slot::Level(level) => Gauge::from_arc(level),
            Slot::Count(_) | Slot::Values(_) => Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        match self.slot(key, || Slot::Values(Arc::default())) {
            Slot::Values(kept) => Histogram::from_arc(kept),
            Slot::Count(_) | Slot::Level(_) => Histogram::noop(),
        }
    }
}

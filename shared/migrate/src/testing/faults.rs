use std::future::pending;
use std::sync::Mutex;

use credlink_ports::{Failure, FailureKind};
use tokio::sync::Notify;

/// A fault at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call fails in this way, and has no effect.
    Lost(FailureKind),
    /// The call takes effect, and fails in this way.
    Kept(FailureKind),
    /// The process is killed before the call takes effect.
    KilledBefore,
    /// The process is killed after the call took effect.
    KilledAfter,
}

/// The calls that fail.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    plan: Mutex<Plan>,
    pub(crate) killed: Notify,
}

#[derive(Debug, Default)]
struct Plan {
    calls: usize,
    at: Option<(usize, Fault)>,
    down: Option<(&'static str, FailureKind)>,
    key: Option<(String, FailureKind)>,
    dice: u64,
}

impl Faults {
    pub(crate) fn at(&self, call: usize, fault: Fault) {
        let mut plan = self.plan.lock().unwrap();
        plan.calls = 0;
        plan.at = Some((call, fault));
    }

    /// Makes every call fail in this way from now on whose name begins with `name`.
    pub(crate) fn down(&self, name: &'static str, kind: FailureKind) {
        self.plan.lock().unwrap().down = Some((name, kind));
    }

    /// Makes every call for this key fail in this way from now on.
    pub(crate) fn key(&self, key: &str, kind: FailureKind) {
        self.plan.lock().unwrap().key = Some((key.to_owned(), kind));
    }

    /// Makes each call yield one to four times from now on, at random from `seed`.
    pub(crate) fn shuffle(&self, seed: u64) {
        self.plan.lock().unwrap().dice = seed;
    }

    fn roll(&self) -> u64 {
        let dice = &mut self.plan.lock().unwrap().dice;
        // xorshift64 (Marsaglia 2003); 0 stays 0.
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        *dice % 4
    }

    pub(crate) fn none(&self) {
        *self.plan.lock().unwrap() = Plan::default();
    }

    pub(crate) fn calls(&self) -> usize {
        self.plan.lock().unwrap().calls
    }

    /// Makes a call with the effect `effect`.
    pub(super) async fn call<R>(
        &self,
        name: &'static str,
        key: &str,
        effect: impl FnOnce() -> R,
    ) -> Result<R, Failure> {
        for _ in 0..=self.roll() {
            tokio::task::yield_now().await;
        }
        let failed = |kind| Failure { provider: name, kind, message: format!("{name} {key}") };
        let fault = {
            let mut plan = self.plan.lock().unwrap();
            plan.calls += 1;
            let now = plan.calls;
            if let Some((_, kind)) = plan.down.filter(|(down, _)| name.starts_with(down)) {
                return Err(failed(kind));
            }
            if let Some((_, kind)) = plan.key.as_ref().filter(|(failing, _)| key.ends_with(failing.as_str()))
            {
                return Err(failed(*kind));
            }
            plan.at.filter(|(call, _)| *call == now).map(|(_, fault)| fault)
        };
        match fault {
            None => Ok(effect()),
            Some(Fault::Lost(kind)) => Err(failed(kind)),
            Some(Fault::Kept(kind)) => {
                effect();
                Err(failed(kind))
            }
            Some(fault) => {
                if fault == Fault::KilledAfter {
                    effect();
                }
                self.killed.notify_one();
                pending().await
            }
        }
    }
}

//! An operator's settings for two providers.

use std::time::Duration;

use credlink_runtime::circuit_breaker::BreakerSettings;

/// An operator's settings for two providers.
#[derive(Debug, Clone, Copy)]
pub struct ReplicationSettings {
    /// The timeout of one call to a provider that moves few bytes; long objects have more
    /// ([`credlink_runtime::pace`]). It is less than half of a request's time, so that there is still time to ask the
    /// other provider.
    pub timeout: Duration,
    /// The maximum time that a write of few bytes waits for the fallback once the primary is done. The primary is not cut short,
    /// because it decides; only its timeout limits it.
    pub grace: Duration,
    /// The settings of the circuit breaker, which decides when a provider is no longer called.
    pub breaker: BreakerSettings,
    /// The interval at which a process asks the index which provider is behind. In each process, the first replacement
    /// or deletion that a provider misses takes that long.
    pub look_every: Duration,
    /// The delay of a repair, in seconds. Within that time, a write that timed out may still arrive, and a request may
    /// still end.
    pub repair_delay: u32,
    /// `true` if a slow read also asks the fallback (a hedged request).
    pub hedge: bool,
}

impl Default for ReplicationSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            grace: Duration::from_secs(1),
            breaker: BreakerSettings::default(),
            look_every: Duration::from_secs(5),
            repair_delay: 30,
            hedge: false,
        }
    }
}

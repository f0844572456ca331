//! CredLink's counters and metrics.
//!
//! | to find | look in |
//! |---|---|
//! | every metric, with its unit | [`catalogue`] |
//! | counting of events | [`counters`] · with metrics: [`metered`] |
//! | exporters | [`prometheus`] · CloudWatch's embedded metric format: [`emf`] |

pub mod catalogue;
pub mod counters;
pub mod emf;
pub mod metered;
pub mod prometheus;

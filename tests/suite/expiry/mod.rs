//! The end of a proof's lifetime: it is answered with 410 at once, and destroyed days later (guarantee 12).
//!
//! `extended` cuts an extension off at each of its writes, `days` counts the days, and `clock` has clocks that are
//! wrong.

mod clock;
mod days;
mod extended;

//! One of two object providers does not work, in each of the ways in which a network and a server can fail.

use std::time::Duration;

use credlink_core::replica::Replica;

use super::load::Load;
use super::site::{Site, with_stack};
use crate::engines::proxy::Fault;

/// Longer than a write waits for the second provider, and shorter than a call may take.
const SLOW: Duration = Duration::from_millis(1_300);

/// Requests during an outage of one provider are answered as if nothing were wrong. When the provider is back, nothing
/// stale is served, even before the repair. After the repair both hold the same, so that either can stand in for the
/// other.
async fn outage(replica: Replica, fault: Fault) {
    let site = Site::new().await;
    let load = Load::new();
    load.seed(&site.process().await).await;
    let when = format!("{replica} {fault:?}");
    let process = site.process().await;
    site.of(replica).set(fault);
    load.run(&process, &when).await;
    load.check(&site.process().await, &format!("{when}, another process")).await;
    site.end_outages();
    load.check(&site.process().await, &format!("{when}, over")).await;
    // Answers to writes are short, and the provider that decides may take its time.
    let writes_pass =
        matches!((replica, fault), (_, Fault::ResetAfter(700)) | (Replica::Primary, Fault::Slow(_)));
    assert!(writes_pass || process.depth().await > 0, "{when}: no repair is queued");
    site.repair(&when).await;
    site.check_no_flag(&when).await;
    site.check_whole(&when).await;
    for other in [Replica::Primary, Replica::Fallback] {
        site.of(other).set(Fault::Refuse);
        load.check(&site.process().await, &format!("{when}, repaired, and then without the {other}")).await;
        site.end_outages();
    }
}

macro_rules! outages {
    ($($name:ident: $fault:expr;)+) => {
        mod primary {
            use super::*;
            $(
                #[test]
                fn $name() {
                    with_stack(async || {
                    outage(Replica::Primary, $fault).await;
                    });
                }
            )+
        }

        mod fallback {
            use super::*;
            $(
                #[test]
                fn $name() {
                    with_stack(async || {
                    outage(Replica::Fallback, $fault).await;
                    });
                }
            )+
        }
    };
}

outages! {
    refuses: Fault::Refuse;
    hangs: Fault::Hang;
    loses_every_answer: Fault::ResetAfter(20);
    resets_within_bodies: Fault::ResetAfter(700);
    answers_503: Fault::Answer(503);
    is_slow: Fault::Slow(SLOW);
}

//! A rebuild that is cut off at one call after another, before the call and after it, and restarted each time.

use std::cell::RefCell;
use std::pin::pin;

use credlink_ports::Index as _;
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_service::rebuild::{Manner, Rebuild};

use super::full::{fill, rows};
use super::memory::{clock, over, similar};
use crate::faults::gate::{Gate, Gated};

#[tokio::test]
async fn a_rebuild_that_is_killed_goes_on() {
    let (objects, index) = (MemoryObjects::with_clock(clock()), MemoryIndex::new());
    fill(&over(objects.clone(), index.clone(), clock())).await;
    let (before, totals) = (rows(&index).await, index.totals().await.unwrap());
    for goes_on in [true, false] {
        let anew = MemoryIndex::new();
        let kept: RefCell<Option<String>> = RefCell::new(None);
        let mut kills = 0;
        // Each life is some calls longer than the one before, and ends at another call.
        for limit in (1..).map(|life| life * 7) {
            let gate = Gate::around(limit);
            let service = over(
                Gated::new(objects.clone(), gate.clone()),
                Gated::new(anew.clone(), gate.clone()),
                clock(),
            );
            let life = async {
                let text = kept.borrow().clone().filter(|_| goes_on);
                let mut rebuild = match text.as_deref().and_then(Rebuild::read) {
                    Some(rebuild) => rebuild,
                    None => Rebuild::begin(&service, Manner::Writing).await.unwrap(),
                };
                loop {
                    kept.replace(Some(rebuild.text()));
                    if !rebuild.step(&service, |finding| panic!("{finding:?}")).await.unwrap() {
                        break;
                    }
                }
                rebuild.finish(&service, false).await.unwrap();
                assert!(rebuild.report().joined);
            };
            if gate.run(pin!(life)).is_some() {
                break;
            }
            kills += 1;
            assert!(kills < 1_000, "it never ends");
        }
        assert!(kills >= 20, "{kills}");
        similar(&before, &rows(&anew).await);
        assert_eq!(anew.totals().await.unwrap(), totals, "killed {kills} times");
    }
}

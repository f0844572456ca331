use super::*;
use crate::testing::World;

#[tokio::test(start_paused = true)]
async fn a_report_adds_up() {
    let world = World::mixed();
    assert!(report(&world.ledger).await.unwrap().is_none());
    world.run().await.unwrap();
    let status = status(&world.ledger).await.unwrap().unwrap();
    assert_eq!((status.items, status.states.copied, status.created, status.duplicates), (10, 7, 6, 1));
    assert_eq!((status.states.failed, status.states.skipped), (2, 1));
    let report = report(&world.ledger).await.unwrap().unwrap();
    assert_eq!(report.total, report.migrated + report.failed + report.skipped + report.open);
    let report = Report { duration: 600, time_per_proof: 100.0, ..report };
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&report).unwrap());
    insta::assert_snapshot!("markdown", report.to_markdown());
}

#[test]
fn what_is_not_all_is_not_a_hundred() {
    assert!((hundredths(100 * 999_999, 1_000_000) - 99.99).abs() < 1e-9);
    assert!((hundredths(100, 1) - 100.0).abs() < 1e-9);
}

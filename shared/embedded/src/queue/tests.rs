use std::time::{Duration, Instant};

use credlink_runtime::clock::SystemClock;

use super::*;
use crate::database::disk::Disk;

#[tokio::test]
async fn a_queue_is_opened_anew_after_a_full_disk_and_keeps_what_it_took() {
    let disk = Disk::default();
    let (opened, reserve) = (disk.clone(), Reserve::at(Path::new("/nowhere")));
    let database = Database::over(NAME, move || Ok((opened.clone(), None)), CACHE_BYTES, reserve).unwrap();
    database.write(prepare).unwrap();
    let queue = EmbeddedQueue { database: Arc::new(database), clock: SystemClock };
    let text = r#"{"version":1,"request_id":"r","work":"replicate","to":"fallback","keys":["manifests/urn%3Ac2pa%3Ax"]}"#;
    let message: Message = text.parse().unwrap();
    queue.send(&message, 0).await.unwrap();
    disk.fill(true);
    assert_eq!(queue.send(&message, 0).await.unwrap_err().kind, FailureKind::OutOfSpace);
    disk.fill(false);
    let begun = Instant::now();
    while let Err(failure) = queue.send(&message, 0).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{failure}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The message whose send failed may or may not be in the queue; the other two are.
    let depth = queue.depth().await.unwrap();
    assert!((2..=3).contains(&depth), "{depth}");
    for _ in 0..depth {
        let delivered = queue.receive(1, 60).await.unwrap();
        assert_eq!(delivered[0].text.parse(), Ok(message.clone()));
        queue.settle(&delivered[0].receipt).await.unwrap();
    }
    assert_eq!(queue.depth().await.unwrap(), 0);
}

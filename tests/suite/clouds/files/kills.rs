//! The sudden end of the finaliser between its steps: the next one makes the file, and nothing is left over.

use credlink_core::file::FileId;
use tokio::time::sleep;

use super::*;
use crate::engines::ministack;
use crate::engines::proxy::{Fault, Proxy};
use crate::files::pictures::png;

/// The finaliser, ended as soon as it has written `writes` objects or is done. Returns `false` if it was done.
async fn ended_after(site: &Site, writes: usize, message: String) -> bool {
    let proxy = Proxy::to(ministack::endpoint().trim_start_matches("http://").parse().unwrap());
    // Long enough to end the function before its next write.
    proxy.set(Fault::SlowWrites(Duration::from_millis(40)));
    let finaliser = site.start_with("finalise", &[("STORAGE_ENDPOINT", proxy.url())]);
    let messages = [message];
    let mut seen = 0;
    tokio::select! {
        failed = finalise(&finaliser, &messages) => {
            assert_eq!(failed, [""; 0]);
            return false;
        }
        () = async {
            while seen < writes {
                let requests = proxy.requests();
                seen += requests.iter().filter(|seen| seen.method == "PUT").count();
                sleep(Duration::from_millis(2)).await;
            }
        } => {}
    }
    drop(finaliser);
    true
}

#[tokio::test]
async fn a_finaliser_that_is_ended_is_followed_by_another() {
    let site = Site::new(&[]).await;
    let (mut ended, mut files, mut bytes) = (0, Vec::new(), 0);
    for (round, writes) in [1, 3, 7, 10, 13, 14, 100].into_iter().enumerate() {
        let picture = png(900, 700, 10 + u32::try_from(round).unwrap());
        let upload = site.upload(&picture, &of_item()).await;
        let message = site.messages(&upload).await.into_iter().find(|body| body.contains(&upload)).unwrap();
        let was_ended = ended_after(&site, writes, message.clone()).await;
        let when = format!("after {writes} writes, ended: {was_ended}");
        ended += usize::from(was_ended);
        let state = site.row(&upload).await.state;
        if was_ended && !state.is_final() {
            assert_eq!(state.name(), "processing", "{when}");
            // The same message is delivered again too early: the first finaliser may still be at work.
            assert_eq!(finalise(&site.start("finalise"), std::slice::from_ref(&message)).await, [""; 0]);
            assert_eq!(site.row(&upload).await.state.name(), "processing", "{when}");
            site.let_be_due(&upload).await;
            let run = site.clean_up().await;
            assert_eq!(run["files"], json!({"done": 1, "failed": 0}), "{when}: {run}");
            let messages = site.messages(&upload).await;
            assert_eq!(finalise(&site.start("finalise"), &messages).await, [""; 0], "{when}");
        }
        let state = site.state(&upload).await;
        assert_eq!(state["state"], "ready", "{when}: {state}");
        files.push(state["file"].as_str().unwrap().parse::<FileId>().unwrap());
        bytes += picture.len() as u64;
        // If the function ended before it removed the bytes, the next message has them removed.
        assert_eq!(finalise(&site.start("finalise"), &[message]).await, [""; 0], "{when}");
        assert_eq!(site.keys("uploads/").await, [""; 0], "{when}");
        assert_eq!(site.quota().await, (bytes, 0, files.len() as u64, 0), "{when}");
        site.assert_sound(&when).await;
    }
    assert!(ended >= 4, "only {ended} finalisers were ended");
    let list = site.get("/v1/entities/item/1/item-photo").await;
    let listed: Vec<FileId> = list["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(listed, files);
}

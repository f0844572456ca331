//! Messages that come twice and in any order, to several processes, and uploads that are given up meanwhile.

use std::cell::Cell;

use futures_util::future::{join, join_all};
use tokio::time::sleep;

use super::*;
use crate::engines::ministack;
use crate::engines::proxy::{Fault, Proxy};
use crate::files::pictures::png;

#[tokio::test]
async fn an_event_and_a_hint_come_twice_and_in_any_order() {
    let site = Site::new(&[]).await;
    let finalisers = [site.start("finalise"), site.start("finalise"), site.start("finalise")];
    let mut bytes = 0;
    for (round, order) in [[0, 1, 0], [1, 0, 1], [0, 0, 1], [1, 1, 0]].into_iter().enumerate() {
        let picture = png(300, 300, 40 + u32::try_from(round).unwrap());
        bytes += picture.len() as u64;
        let upload = site.upload(&picture, &of_item()).await;
        let event = site.messages(&upload).await.into_iter().find(|body| body.contains(&upload)).unwrap();
        for _ in 0..2 {
            let hint = ask(Method::POST, &format!("/v1/uploads/{upload}/complete"));
            assert_eq!(site.send(hint).await.status(), 202);
        }
        let hint = site.messages("\"work\"").await.into_iter().find(|body| body.contains(&upload)).unwrap();
        let messages = [event, hint];
        // At the same time, by three processes.
        let works = finalisers.iter().zip(order).map(async |(finaliser, number)| {
            finalise(finaliser, std::slice::from_ref(&messages[number])).await
        });
        assert_eq!(join_all(works).await.concat(), [""; 0], "{order:?}");
        let state = site.state(&upload).await;
        assert_eq!(state["state"], "ready", "{order:?}: {state}");
        // And once more, after the end.
        assert_eq!(finalise(&finalisers[0], &messages).await, [""; 0]);
        assert_eq!(site.state(&upload).await, state);
        assert_eq!(site.quota().await, (bytes, 0, round as u64 + 1, 0), "{order:?}");
        site.assert_sound(&format!("{order:?}")).await;
    }
    let list = site.get("/v1/entities/item/1/item-photo").await;
    assert_eq!(list["files"].as_array().unwrap().len(), 4, "{list}");
    assert_eq!(site.keys("uploads/").await, [""; 0]);
}

#[tokio::test]
async fn an_upload_that_is_given_up_while_its_file_is_made_is_one_or_the_other() {
    let site = Site::new(&[]).await;
    let proxy = Proxy::to(ministack::endpoint().trim_start_matches("http://").parse().unwrap());
    proxy.set(Fault::SlowWrites(Duration::from_millis(30)));
    let finaliser = site.start_with("finalise", &[("STORAGE_ENDPOINT", proxy.url())]);
    let (mut ready, mut rejected) = (0, 0);
    for (round, writes) in [0, 2, 8, 13, 14, 100].into_iter().enumerate() {
        let upload = site.upload(&png(900, 700, 70 + u32::try_from(round).unwrap()), &of_item()).await;
        let message = site.messages(&upload).await.into_iter().find(|body| body.contains(&upload)).unwrap();
        let messages = [message];
        let _ = proxy.requests();
        let is_done = Cell::new(false);
        let work = async {
            let failed = finalise(&finaliser, &messages).await;
            is_done.set(true);
            failed
        };
        let abort = async {
            let mut seen = 0;
            while seen < writes && !is_done.get() {
                seen += proxy.requests().iter().filter(|seen| seen.method == "PUT").count();
                sleep(Duration::from_millis(2)).await;
            }
            site.send(ask(Method::DELETE, &format!("/v1/uploads/{upload}"))).await.status().as_u16()
        };
        let (failed, status) = join(work, abort).await;
        let when = format!("after {writes} writes, {status}");
        assert_eq!(failed, [""; 0], "{when}");
        let state = site.state(&upload).await;
        match status {
            204 => {
                assert_eq!(
                    (&state["state"], &state["reason"]),
                    (&json!("rejected"), &json!("aborted")),
                    "{when}"
                );
                rejected += 1;
            }
            409 => {
                assert_eq!(state["state"], "ready", "{when}");
                ready += 1;
            }
            _ => panic!("{when}"),
        }
        assert_eq!(site.keys("uploads/").await, [""; 0], "{when}");
        assert_eq!(site.keys("files/").await.len(), ready, "{when}");
        let (_, reserved, files, uploads) = site.quota().await;
        assert_eq!((reserved, files, uploads), (0, ready as u64, 0), "{when}");
        site.assert_sound(&when).await;
    }
    assert!(ready > 0 && rejected > 1, "{ready} ready, {rejected} rejected");
}

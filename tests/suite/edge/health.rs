//! Health: the services that answer this data center, and those that do not.

use bytes::Bytes;
use http::{Method, Response};
use serde_json::{Value, json};

use super::origin::Origin;
use crate::engines::edge::{Edge, Mode};
use crate::engines::proxy::{Fault, Proxy};
use crate::http::ask::{ask, get};

/// The health document without its latencies, which are whole numbers of milliseconds.
fn told(answer: &Response<Bytes>) -> Value {
    let mut health: Value = serde_json::from_slice(answer.body()).unwrap();
    for provider in health["providers"].as_array_mut().unwrap() {
        let latency = provider.as_object_mut().unwrap().remove("latency_ms");
        assert!(latency.is_some_and(|latency| latency.is_u64()));
    }
    health
}

fn r2(is_up: bool) -> Value {
    if is_up {
        json!({"name": "r2", "role": "objects", "status": "ok"})
    } else {
        json!({"name": "r2", "role": "objects", "status": "down", "problem": "unavailable"})
    }
}

fn origin(is_up: bool) -> Value {
    if is_up {
        json!({"name": "origin", "role": "origin", "status": "ok"})
    } else {
        json!({"name": "origin", "role": "origin", "status": "down", "problem": "unavailable"})
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_that_of_r2_where_there_is_no_origin() {
    let edge = Edge::with([("CREDLINK_TIMEOUT", "1500".to_owned())]).await;
    for (mode, status, overall) in [
        (Mode::Well, 200, "ok"),
        (Mode::Fails, 503, "down"),
        (Mode::Held, 503, "down"),
        (Mode::Well, 200, "ok"),
    ] {
        edge.set("bucket", mode).await;
        let answer = edge.send(get("/health")).await;
        assert_eq!(answer.status(), status, "{mode:?}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(told(&answer), json!({"status": overall, "providers": [r2(status == 200)]}));
        let head = edge.send(ask(Method::HEAD, "/health")).await;
        assert_eq!((head.status().as_u16(), head.body().len()), (status, 0));
    }
    assert_eq!(edge.count("cache").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_degraded_where_one_of_two_is_up() {
    let behind = Origin::start().await;
    let proxy = Proxy::to(behind.url().trim_start_matches("http://").parse().unwrap());
    let variables = [("CREDLINK_TIMEOUT", "1500".to_owned()), ("CREDLINK_ORIGIN_URL", proxy.url())];
    let edge = Edge::with(variables).await;
    for (mode, fault, status, overall) in [
        (Mode::Well, Fault::Pass, 200, "ok"),
        (Mode::Fails, Fault::Pass, 200, "degraded"),
        (Mode::Well, Fault::Refuse, 200, "degraded"),
        (Mode::Well, Fault::Answer(503), 200, "degraded"),
        (Mode::Well, Fault::Hang, 200, "degraded"),
        (Mode::Fails, Fault::Refuse, 503, "down"),
        (Mode::Well, Fault::Pass, 200, "ok"),
    ] {
        edge.set("bucket", mode).await;
        proxy.set(fault);
        edge.forget().await;
        let answer = edge.send(get("/health")).await;
        assert_eq!(answer.status(), status, "{mode:?}, {fault:?}");
        let (has_r2, has_origin) = (mode == Mode::Well, fault == Fault::Pass);
        let expected = json!({"status": overall, "providers": [r2(has_r2), origin(has_origin)]});
        assert_eq!(told(&answer), expected, "{mode:?}, {fault:?}");
        let errors = edge.logs().await.into_iter().filter(|line| line["level"] == "error").count();
        assert_eq!(errors, usize::from(!has_r2) + usize::from(!has_origin), "{mode:?}, {fault:?}");
    }
    assert!(behind.asked().iter().all(|asked| asked.target == "/v1/health"));
}

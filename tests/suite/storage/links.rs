//! Signed URLs, used by a client that knows only the URL.

use std::collections::BTreeMap;
use std::time::Duration;

use credlink_aws::ErrorKind;
use credlink_s3::S3Objects;

use super::over_both;

over_both! {
    a_signed_url_reads_and_writes,
    a_url_that_was_changed_is_refused,
    a_url_ends,
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Sends a request, and returns the status and the body.
async fn send(method: &str, url: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> (u16, Vec<u8>) {
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(body.to_vec()).unwrap();
    let run = move || {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let mut answer = config.build().new_agent().run(request).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap())
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn none() -> BTreeMap<String, String> {
    BTreeMap::new()
}

async fn a_signed_url_reads_and_writes(objects: S3Objects) {
    let put = objects.sign_put("a b/ü", HOUR, Some("image/png")).await.unwrap();
    assert_eq!(put.method, "PUT");
    assert_eq!(put.headers.get("content-type").map(String::as_str), Some("image/png"));
    assert_eq!(send("PUT", &put.url, &put.headers, b"some bytes").await.0, 200);
    let head = objects.describe("a b/ü").await.unwrap().unwrap();
    assert_eq!((head.size, head.attributes.content_type.as_str()), (10, "image/png"));
    let get = objects.sign_get("a b/ü", HOUR).await.unwrap();
    assert_eq!(send("GET", &get.url, &get.headers, b"").await, (200, b"some bytes".to_vec()));
}

async fn a_url_that_was_changed_is_refused(objects: S3Objects) {
    let put = objects.sign_put("x", HOUR, Some("image/png")).await.unwrap();
    let other = BTreeMap::from([("content-type".to_owned(), "text/html".to_owned())]);
    assert_eq!(send("PUT", &put.url, &other, b"<script>").await.0, 403, "another media type");
    assert!(!objects.exists("x").await.unwrap());
    assert_eq!(send("PUT", &put.url, &put.headers, b"x").await.0, 200);
    assert_eq!(send("GET", &put.url, &none(), b"").await.0, 403, "another method");
    let get = objects.sign_get("x", HOUR).await.unwrap().url;
    assert_eq!(send("GET", &get.replace("/x?", "/y?"), &none(), b"").await.0, 403, "another key");
    let longer = get.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200");
    assert_ne!(longer, get);
    assert_eq!(send("GET", &longer, &none(), b"").await.0, 403, "another time");
}

async fn a_url_ends(objects: S3Objects) {
    let get = objects.sign_get("x", Duration::from_secs(1)).await.unwrap().url;
    // Whether the answer is 404 first depends on the machine; that it is 403 in the end does not.
    let ends = async {
        while send("GET", &get, &none(), b"").await.0 != 403 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ends).await.expect("it ends");
    for never in [Duration::ZERO, Duration::from_secs(604_801)] {
        assert_eq!(objects.sign_get("x", never).await.unwrap_err().kind, ErrorKind::Refused);
    }
}

use credlink_core::http::problem::TYPE_PREFIX;
use http::{HeaderName, HeaderValue};

use super::*;

fn answer(status: u16, headers: &[(HeaderName, &'static str)], slug: &str) -> Answer {
    let body = if slug.is_empty() {
        Bytes::new()
    } else {
        format!(r#"{{"type":"{TYPE_PREFIX}{slug}","detail":"why"}}"#).into()
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, HeaderValue::from_static(value));
    }
    Answer { status: StatusCode::from_u16(status).unwrap(), headers: map, body }
}

#[test]
fn who_may_read_is_what_the_cache_control_says() {
    let said = |values: &[&'static str]| {
        let headers: Vec<_> = values.iter().map(|value| (CACHE_CONTROL, *value)).collect();
        answer(200, &headers, "").visibility()
    };
    assert_eq!(said(&["public, max-age=31536000, immutable"]), Some(Visibility::Public));
    assert_eq!(said(&["private, no-store"]), Some(Visibility::Private));
    // A server in between may add directives, and contradicting ones count as the stricter.
    assert_eq!(said(&["max-age=60,Private"]), Some(Visibility::Private));
    assert_eq!(said(&["public", "private"]), Some(Visibility::Private));
    for untold in [&[][..], &["no-store"], &["max-age=60, x-public"]] {
        assert_eq!(said(untold), None, "{untold:?}");
    }
}

#[test]
fn answers_about_the_service_are_failures() {
    for (status, slug, kind) in [
        (200, "", None),
        (308, "", None),
        (204, "", Some(FailureKind::AccessDenied)),
        (404, "not-found", None),
        (410, "deleted", None),
        (409, "manifest-conflict", None),
        (409, "contended", Some(FailureKind::Unavailable)),
        (412, "precondition-failed", None),
        (400, "invalid-manifest", None),
        (413, "", None),
        (404, "", Some(FailureKind::AccessDenied)),
        (404, "no-such-route", Some(FailureKind::AccessDenied)),
        (405, "method-not-allowed", Some(FailureKind::AccessDenied)),
        (409, "", Some(FailureKind::AccessDenied)),
        (410, "", Some(FailureKind::AccessDenied)),
        (412, "", Some(FailureKind::AccessDenied)),
        (401, "unauthenticated", Some(FailureKind::AccessDenied)),
        (403, "private", None),
        (403, "insufficient-scope", Some(FailureKind::AccessDenied)),
        (403, "", Some(FailureKind::AccessDenied)),
        (429, "", Some(FailureKind::Throttled)),
        (408, "", Some(FailureKind::TimedOut)),
        (500, "internal", Some(FailureKind::Unavailable)),
        (502, "", Some(FailureKind::Unavailable)),
        (502, "damaged", Some(FailureKind::Damaged)),
        (503, "unavailable", Some(FailureKind::Unavailable)),
        (504, "", Some(FailureKind::TimedOut)),
        (507, "", Some(FailureKind::OutOfSpace)),
    ] {
        assert_eq!(answer(status, &[], slug).failure(), kind, "{status} {slug}");
    }
    assert_eq!(answer(204, &[(MARK, "1")], "").failure(), None);
    // Proxies and frameworks set request IDs too.
    let proxy = answer(204, &[(HeaderName::from_static("x-request-id"), "r-1")], "");
    assert_eq!(proxy.failure(), Some(FailureKind::AccessDenied));
    let slow = answer(503, &[(RETRY_AFTER, "2")], "unavailable");
    assert_eq!(slow.failure(), Some(FailureKind::Throttled));
}

#[test]
fn only_credlink_says_that_nothing_is_there() {
    assert!(answer(404, &[], "not-found").is_not_found());
    assert!(answer(410, &[], "expired").is_gone() && answer(410, &[], "deleted").is_gone());
    for slug in ["", "no-such-route"] {
        assert!(!answer(404, &[], slug).is_not_found() && !answer(410, &[], slug).is_gone(), "{slug}");
    }
}

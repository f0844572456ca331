use super::*;

#[test]
fn a_problem_of_the_server_is_told_in_full() {
    let body =
        br#"{"type":"urn:credlink:problem:binding-mismatch","title":"The manifest belongs to another file",
        "status":422,"detail":"it binds another","field":"media_hash","request_id":"r-1","bound":"x"}"#;
    let trouble = Trouble::answered(StatusCode::UNPROCESSABLE_ENTITY, body, Named::Server);
    assert_eq!(
        trouble.lines("").text(),
        "The manifest belongs to another file: it binds another (`media_hash`)\n  request r-1"
    );
    assert_eq!(trouble.exit(), Exit::Failed);
    assert!(serde_json::to_string(&trouble).unwrap().contains(r#""bound":"x""#));
}

/// Returns the problem of an answer of CredLink with this status and this slug.
fn said(status: u16, slug: &str) -> Trouble {
    let body = format!(r#"{{"type":"urn:credlink:problem:{slug}","title":"There is no such path"}}"#);
    Trouble::answered(StatusCode::from_u16(status).unwrap(), body.as_bytes(), Named::Server)
}

#[test]
fn absence_and_usage_have_codes_of_their_own() {
    for slug in ["deleted", "expired", "not-found"] {
        assert_eq!(said(404, slug).exit(), Exit::Absent, "{slug}");
    }
    assert_eq!(Trouble::new(TroubleKind::Usage, "no").exit(), Exit::Usage);
    assert_eq!(Trouble::new(TroubleKind::Unreachable, "no").exit(), Exit::Failed);
}

#[test]
fn who_is_not_asked_says_nothing_of_what_is_there() {
    let gateway = br#"{"message":"Not Found"}"#.as_slice();
    let foreign = br#"{"type":"about:blank","title":"Not Found","status":404}"#.as_slice();
    let similar = br#"{"type":"not-found","title":"Not Found"}"#.as_slice();
    for body in [gateway, foreign, similar, b"<html>", b""] {
        for status in [StatusCode::NOT_FOUND, StatusCode::GONE, StatusCode::BAD_GATEWAY] {
            let trouble = Trouble::answered(status, body, Named::Server);
            assert_eq!(trouble.exit(), Exit::Failed, "{trouble}");
            assert!(!trouble.is_damage() && trouble.to_string().contains("is --url its address?"));
        }
    }
    let gate = Trouble::answered(StatusCode::UNAUTHORIZED, gateway, Named::Server).to_string();
    assert!(gate.contains("does it want a token (--token)"), "{gate}");
    let thing = Trouble::answered(StatusCode::UNAUTHORIZED, gateway, Named::Thing).to_string();
    assert!(thing.ends_with("or is it another thing's URL?"), "{thing}");
    let route = said(404, "no-such-route");
    assert_eq!(route.exit(), Exit::Failed);
    assert!(route.to_string().ends_with("--url is the address without /v1"), "{route}");
}

#[test]
fn a_server_makes_no_line_and_steers_no_terminal() {
    let forged = "x\n  + everything that can be checked holds\u{1b}[2K\u{202e}";
    let body = serde_json::json!({
        "type": "urn:credlink:problem:not-found", "title": forged, "detail": forged, "field": forged, "request_id": forged,
    });
    let trouble = Trouble::answered(StatusCode::NOT_FOUND, body.to_string().as_bytes(), Named::Server);
    let lines = trouble.lines("credlink: ").text();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(!lines.contains(['\u{1b}', '\u{202e}']), "{lines:?}");
    assert!(lines.contains(r"x\n  + everything") && lines.contains(r"\u{1b}[2K\u{202e}"), "{lines}");
}

#[test]
fn nothing_is_said_twice() {
    let trouble = Trouble::new(TroubleKind::NoManifest, "no manifest was found");
    assert_eq!(trouble.to_string(), "No manifest was found");
    let trouble = Trouble::new(TroubleKind::NoManifest, "no manifest was found; look again");
    assert_eq!(trouble.to_string(), "No manifest was found; look again");
}

#[test]
fn a_manifest_is_named_by_where_it_was() {
    let body = br#"{"type":"urn:credlink:problem:invalid-manifest","title":"The manifest cannot be read",
        "detail":"`manifest_base64`: it is too deep","field":"manifest_base64"}"#;
    let trouble = Trouble::answered(StatusCode::BAD_REQUEST, body, Named::Server).of_manifest("photo.json");
    assert_eq!(trouble.to_string(), "The manifest cannot be read: photo.json: it is too deep");
}

use http::HeaderMap;

use super::*;

#[test]
fn an_answer_of_others_asks_for_the_address() {
    let body = Bytes::from_static(br#"{"message":"Not Found"}"#);
    let gateway = Answer { status: StatusCode::NOT_FOUND, headers: HeaderMap::new(), body };
    let said = gateway.unexpected("/v1/proofs/x").message;
    assert_eq!(
        said,
        "/v1/proofs/x: it answers 404 Not Found: the answer is not CredLink's; is this its address?"
    );
}

#[test]
fn a_token_fits_into_a_header() {
    assert!(Api::new("http://127.0.0.1:1", Some("a\nb")).is_err());
    assert!(!format!("{:?}", Api::new("http://127.0.0.1:1", Some("hush")).unwrap()).contains("hush"));
    for (url, is) in
        [("http://[::1]:8787", true), ("https://localhost/a", true), ("https://a.example", false)]
    {
        assert_eq!(leads_to_this_machine(url), is, "{url}");
    }
}

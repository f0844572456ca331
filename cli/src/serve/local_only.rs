//! The check of requests to a server without credentials: it answers programs on this machine, and nobody through them.
//!
//! A browser on this machine runs scripts of any site, a name that somebody else owns may be made to lead here (DNS
//! rebinding), and a proxy passes on requests from anywhere. The address of a connection does not distinguish them.

use credlink_client::is_this_machine;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::route::Route;
use credlink_service::router::Stranger;
use http::header::{FORWARDED, HOST, HeaderName, ORIGIN, VIA};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method};

/// The header that relates the site of a browser's page to that of the request (W3C Fetch Metadata, section 2.4).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The headers that proxies add, by standards (RFC 9110, section 7.6.3; RFC 7239; RFC 8586), or as nginx, ingress
/// controllers and Azure's gateways do.
const OF_PROXIES: [HeaderName; 8] = [
    VIA,
    FORWARDED,
    HeaderName::from_static("cdn-loop"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-original-forwarded-for"),
    HeaderName::from_static("x-original-host"),
    HeaderName::from_static("x-azure-clientip"),
    HeaderName::from_static("x-azure-socketip"),
];
/// The prefixes of further headers of proxies: of most proxies, of Cloudflare and its tunnels, and of Envoy.
const BEGINNINGS_OF_PROXIES: [&str; 3] = ["x-forwarded", "cf-", "x-envoy-"];
/// The suffix of headers with the address of a proxy's client: `True-Client-IP`, `X-Client-IP`, `X-Cluster-Client-IP`,
/// `Fastly-Client-IP`, `Fly-Client-IP` and others.
const CLIENT_IP: &str = "client-ip";

/// The remedy for an operator who wants others to be answered.
const REMEDY: &str = "a server that others reach is started with --tokens or --jwks";

/// Refuses a request that comes from elsewhere. A public read by the page of another site is answered as a stranger's,
/// because a private object must look to that page like an absent one. The page of an origin that the operator has listed
/// (`is_listed`) is like a program of this machine.
///
/// # Errors
/// Fails if the request names another host, comes through a proxy, or was made by another site's page and is not a public
/// read.
pub fn check(request: &mut Parts, is_listed: bool) -> Result<(), Problem> {
    let host = host(request)?;
    if let Some(name) = proxied(&request.headers) {
        let detail = format!(
            "this server needs no credential and serves this machine only, but `{name}` says that the request came \
             through a proxy; {REMEDY}"
        );
        return Err(Problem::new(ProblemKind::NotThisMachine, detail).at(name));
    }
    match foreign(&request.headers, host.as_ref()).filter(|_| !is_listed) {
        Some(name) if !is_public_read(request) => {
            let detail = format!(
                "this server needs no credential, and pages of other sites may not do this; `{name}` says that the \
                 request comes from such a page; {REMEDY}"
            );
            Err(Problem::new(ProblemKind::NotThisMachine, detail).at(name))
        }
        Some(_) => {
            request.extensions.insert(Stranger);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Returns the host that the request names, if any: the authority of its target, in the absolute form of HTTP/1.1 (RFC
/// 9112, section 3.2.2) or as `:authority` in HTTP/2 (RFC 9113, section 8.3.1), or else `Host`.
fn host(request: &Parts) -> Result<Option<Authority>, Problem> {
    let given = match (request.uri.authority(), request.headers.get(HOST)) {
        (Some(authority), _) => Some(authority.clone()),
        (None, Some(value)) => value.to_str().ok().and_then(|text| text.parse::<Authority>().ok()),
        // This is HTTP/1.0, which no browser uses.
        (None, None) => return Ok(None),
    };
    match given {
        Some(authority) if is_this_machine(authority.host()) => Ok(Some(authority)),
        _ => {
            let detail = format!(
                "this server needs no credential, and answers only as localhost, 127.0.0.0/8 and [::1]; {REMEDY}"
            );
            Err(Problem::new(ProblemKind::Misdirected, detail).at("host"))
        }
    }
}

/// Returns the header that shows that a request came through a proxy.
fn proxied(headers: &HeaderMap) -> Option<&str> {
    let is_of_a_proxy = |name: &&HeaderName| {
        let text = name.as_str();
        OF_PROXIES.contains(name)
            || BEGINNINGS_OF_PROXIES.iter().any(|beginning| text.starts_with(beginning))
            || text.ends_with(CLIENT_IP)
    };
    headers.keys().find(is_of_a_proxy).map(HeaderName::as_str)
}

/// Returns the header that shows that a request was made by a page of another site, or of another port of this machine.
fn foreign(headers: &HeaderMap, host: Option<&Authority>) -> Option<&'static str> {
    let site = headers.get_all(SEC_FETCH_SITE).iter();
    if site.into_iter().any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none")) {
        return Some("sec-fetch-site");
    }
    let own = host.map(|host| format!("http://{host}"));
    let is_own =
        |origin: &http::HeaderValue| own.as_deref().is_some_and(|own| own.as_bytes() == origin.as_bytes());
    (!headers.get_all(ORIGIN).iter().all(is_own)).then_some("origin")
}

/// Returns `true` if the request is a read of something that may be public, or a preflight of one.
fn is_public_read(request: &Parts) -> bool {
    let query = request.uri.query().unwrap_or_default();
    let read = Route::parse(&Method::GET, request.uri.path(), query);
    request.method.is_safe() && read.is_ok_and(|read| read.is_public_read())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "/v1/manifests/urn:c2pa:x";

    #[test]
    fn a_listed_origin_is_trusted_here_and_nowhere_else() {
        for (host, expected) in [("localhost", Ok(())), ("evil.example", Err(ProblemKind::Misdirected))] {
            let request =
                http::Request::post("/v1/uploads").header("host", host).header("origin", "http://a.example");
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(check(&mut parts, true).map_err(|problem| problem.kind), expected, "{host}");
        }
    }

    fn asked(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<(), ProblemKind> {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        check(&mut parts, false).map_err(|problem| problem.kind)
    }

    #[test]
    fn only_this_machine_is_a_host() {
        for host in ["localhost", "localhost:8787", "127.0.0.1:1", "127.8.9.10", "[::1]:8787", "LOCALHOST:80"]
        {
            assert_eq!(asked("DELETE", RECORD, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8787",
            "localhost.evil.example",
            "10.0.0.1",
            "0.0.0.0:8787",
            "",
            "a b",
        ] {
            for method in ["GET", "DELETE"] {
                assert_eq!(asked(method, RECORD, &[("host", host)]), Err(ProblemKind::Misdirected), "{host}");
            }
        }
        assert_eq!(
            asked("GET", "http://evil.example/v1/health", &[]),
            Err(ProblemKind::Misdirected),
            "of HTTP/2"
        );
        assert_eq!(asked("GET", "http://localhost:8787/v1/health", &[]), Ok(()));
        let of_a_page = [("host", "localhost:8787")];
        let foreign = "http://evil.example/v1/health";
        assert_eq!(asked("GET", foreign, &of_a_page), Err(ProblemKind::Misdirected), "the target decides");
        assert_eq!(asked("GET", "http://localhost/v1/health", &[("host", "evil.example")]), Ok(()));
    }

    #[test]
    fn nobody_comes_through_a_proxy() {
        for name in [
            "forwarded",
            "via",
            "cdn-loop",
            "x-real-ip",
            "x-forwarded",
            "x-forwarded-for",
            "x-forwarded-proto",
            "X-Forwarded-Host",
            "X-Original-Forwarded-For",
            "x-original-host",
            "CF-Connecting-IP",
            "cf-ray",
            "True-Client-IP",
            "X-Client-IP",
            "x-cluster-client-ip",
            "fastly-client-ip",
            "fly-client-ip",
            "client-ip",
            "x-azure-clientip",
            "x-envoy-external-address",
        ] {
            let headers = [("host", "localhost"), (name, "203.0.113.9")];
            for method in ["GET", "POST"] {
                assert_eq!(asked(method, RECORD, &headers), Err(ProblemKind::NotThisMachine), "{name}");
            }
        }
    }

    #[test]
    fn pages_of_other_sites_read_what_is_public() {
        let own = [
            ("host", "localhost:8787"),
            ("origin", "http://localhost:8787"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(asked("POST", "/v1/proofs", &own), Ok(()));
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "http://localhost:3000"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "something-new"),
        ] {
            let headers = [("host", "localhost:8787"), (name, value)];
            for (method, path) in [
                ("POST", "/v1/proofs"),
                ("GET", "/v1/proofs"),
                ("OPTIONS", "/v1/proofs"),
                ("DELETE", RECORD),
                ("GET", "/v1/stats"),
                ("GET", "/metrics"),
            ] {
                assert_eq!(
                    asked(method, path, &headers),
                    Err(ProblemKind::NotThisMachine),
                    "{method} {path} {value}"
                );
            }
            for method in ["GET", "HEAD", "OPTIONS"] {
                assert_eq!(asked(method, RECORD, &headers), Ok(()), "{method} {value}");
            }
            let request =
                http::Request::builder().uri(RECORD).header(name, value).header("host", "localhost");
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            check(&mut parts, false).unwrap();
            assert!(parts.extensions.get::<Stranger>().is_some(), "{value}");
            parts.extensions.remove::<Stranger>();
            check(&mut parts, true).unwrap();
            assert!(parts.extensions.get::<Stranger>().is_none(), "{value} is listed");
        }
    }
}

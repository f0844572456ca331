//! The routes of `template.yaml`: the function that a request reaches, and that every operation has one.

use std::sync::LazyLock;

use http::Method;

use crate::http::contract::{CDN_PATHS, CONTRACT};

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// The operations whose requests never come to the functions: clients send bytes to the bucket itself.
const ELSEWHERE: [(Method, &str); 1] = [(Method::PUT, "/v1/uploads/{upload}/bytes")];

/// A route: its method, the segments of its path, and the name of the function behind it.
type Route = (&'static str, Vec<&'static str>, String);

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let between = |text: &'static str, start: &str, ends: &[char]| {
        let (_, rest) = text.split_once(start)?;
        rest.trim_start_matches([' ', '\'']).split(ends).next()
    };
    let routes = TEMPLATE.split("Type: AWS::ApiGatewayV2::Route\n").skip(1);
    let routes = routes.filter_map(|text| {
        let key = between(text, "RouteKey:", &['\n', '\'', ','])?;
        let function = between(text, "integrations/${", &['}'])?.strip_suffix("Integration")?;
        let (method, path) = key.split_once(' ')?;
        Some((method, path.split('/').collect(), function.to_lowercase()))
    });
    routes.collect()
});

/// Compares a path, or the template of one, with the path of a route. Literal segments precede parameters.
fn is_on(route: &[&str], path: &[&str], is_same: impl Fn(&str, &str) -> bool) -> bool {
    route.len() == path.len() && route.iter().zip(path).all(|(ours, given)| is_same(ours, given))
}

/// Returns the name of the function that a request reaches.
pub fn function(method: &Method, path: &str) -> &'static str {
    let path: Vec<_> = path.split('/').collect();
    let takes = |route: &&Route| {
        route.0 == method.as_str()
            && is_on(&route.1, &path, |ours, given| ours.starts_with('{') || ours == given)
    };
    let parameters = |route: &&Route| route.1.iter().filter(|segment| segment.starts_with('{')).count();
    // What has no route of its own goes to `retrieve`.
    ROUTES.iter().filter(takes).min_by_key(parameters).map_or("retrieve", |(.., function)| function)
}

#[test]
fn every_operation_has_a_route_of_its_own() {
    assert!(ROUTES.len() > 60, "{}", ROUTES.len());
    let is_same = |ours: &str, given: &str| ours == given || ours.starts_with('{') && given.starts_with('{');
    let mut missing = Vec::new();
    for (method, path, _) in CONTRACT.operations() {
        let is_read_on_the_cdn = CDN_PATHS.contains(&path) && method == Method::GET;
        let segments: Vec<_> = path.split('/').collect();
        let has = ROUTES
            .iter()
            .any(|(known, route, _)| *known == method.as_str() && is_on(route, &segments, is_same));
        if !has && !is_read_on_the_cdn && !ELSEWHERE.contains(&(method.clone(), path)) {
            missing.push(format!("{method} {path}"));
        }
    }
    assert!(missing.is_empty(), "template.yaml has no routes for {missing:?}");
}

#[test]
fn a_request_reaches_the_function_of_its_route() {
    for (method, path, expected) in [
        (Method::POST, "/v1/uploads/sign", "store"),
        (Method::POST, "/v1/uploads/abc/complete", "store"),
        (Method::POST, "/v1/files/batch-delete", "delete"),
        (Method::POST, "/v1/files/abc/renditions", "finalise"),
        (Method::PATCH, "/v1/files/abc", "finalise"),
        (Method::GET, "/v1/files/abc/url", "store"),
        (Method::GET, "/v1/files/abc/audit", "retrieve"),
        (Method::GET, "/nowhere", "retrieve"),
    ] {
        assert_eq!(function(&method, path), expected, "{method} {path}");
    }
}

//! The rights of the functions: the role in `template.yaml` allows every call that its function makes to S3, DynamoDB
//! and SQS. The engines on this machine check no rights, so the requests are recorded on their way and compared with
//! the statements of the roles.

use std::collections::BTreeSet;

use crate::engines::proxy::{Proxy, Seen};
use crate::engines::{dynoxide, ministack};

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// The functions and their roles.
const ROLES: [(&str, &str); 5] = [
    ("store", "StoreRole"),
    ("delete", "DeleteRole"),
    ("retrieve", "RetrieveRole"),
    ("finalise", "FinaliseRole"),
    ("cleanup", "CleanupRole"),
];

/// Records the calls of each function.
#[derive(Debug)]
pub struct Watch {
    bucket: String,
    proxies: Vec<(&'static str, Proxy, Proxy)>,
}

impl Watch {
    /// Watches functions that use this bucket.
    pub fn over(bucket: &str) -> Self {
        let to = |url: &str| Proxy::to(url.trim_start_matches("http://").parse().unwrap());
        let proxies =
            ROLES.map(|(name, _)| (name, to(dynoxide::endpoint()), to(ministack::endpoint()))).into();
        Self { bucket: bucket.to_owned(), proxies }
    }

    /// The variables that route the calls of the function `name` through this watch.
    pub fn variables(&self, name: &str) -> Vec<(String, String)> {
        let (_, table, others) = self.proxies.iter().find(|(known, ..)| *known == name).unwrap();
        [
            ("AWS_ENDPOINT_URL_DYNAMODB", table.url()),
            ("AWS_ENDPOINT_URL_SQS", others.url()),
            ("STORAGE_ENDPOINT", others.url()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Fails if a function has made a call that its role does not allow, or if a call in `expected` (such as `store
    /// dynamodb:Query`) was not made: a watch that has seen nothing proves nothing.
    pub fn assert_allowed(&self, expected: &[&str]) {
        let (mut wrong, mut asked) = (BTreeSet::new(), BTreeSet::new());
        for ((name, table, others), (_, role)) in self.proxies.iter().zip(ROLES) {
            let statements = statements(TEMPLATE, role);
            for seen in table.requests().into_iter().chain(others.requests()) {
                let Some((action, place)) = self.action(&seen) else { continue };
                asked.insert(format!("{name} {action}"));
                if !statements.iter().any(|statement| statement.allows(&action, &place)) {
                    wrong
                        .insert(format!("{name} asks for {action} of {place}, and {role} does not allow it"));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        for expected in expected {
            assert!(asked.contains(*expected), "nobody has asked for {expected}: {asked:#?}");
        }
    }

    /// The action of a request and its resource, named as in a statement. `None` if the request concerns another
    /// bucket.
    fn action(&self, seen: &Seen) -> Option<(String, String)> {
        if let Some((service, operation)) = seen.target.as_deref().and_then(|target| target.split_once('.')) {
            return Some(if service.starts_with("DynamoDB") {
                (dynamodb(operation), "Table.Arn".to_owned())
            } else {
                (format!("sqs:{}", operation.trim_end_matches("Batch")), "Queue".to_owned())
            });
        }
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let key = path.strip_prefix('/')?.strip_prefix(&*self.bucket)?;
        let of_bucket = key.trim_matches('/').is_empty();
        let action = match &*seen.method {
            "GET" | "HEAD" if of_bucket => "s3:ListBucket",
            "GET" if query.contains("uploadId") => "s3:ListMultipartUploadParts",
            "GET" if query.contains("tagging") => "s3:GetObjectTagging",
            "GET" | "HEAD" => "s3:GetObject",
            "DELETE" if query.contains("uploadId") => "s3:AbortMultipartUpload",
            "POST" if query.starts_with("delete") => "s3:DeleteObject",
            "DELETE" => "s3:DeleteObject",
            _ => "s3:PutObject",
        };
        Some((action.to_owned(), format!("Bucket.Arn{}", if of_bucket { "" } else { key })))
    }
}

/// The right that an operation needs. A transaction needs the rights of its parts, and all that CredLink writes in one
/// are updates.
fn dynamodb(operation: &str) -> String {
    let right = match operation {
        "TransactWriteItems" => "UpdateItem",
        "TransactGetItems" => "GetItem",
        other => other,
    };
    format!("dynamodb:{right}")
}

/// A policy statement, as far as it matters here.
struct Statement {
    text: String,
}

impl Statement {
    fn allows(&self, action: &str, place: &str) -> bool {
        let names = |word: &str| {
            self.text.split(|c: char| !c.is_alphanumeric() && c != ':').any(|known| known == word)
        };
        let is_there = match place.strip_prefix("Bucket.Arn/") {
            Some(key) => {
                let folder = key.split('/').next().unwrap_or_default();
                [
                    format!("${{Bucket.Arn}}/{folder}/"),
                    format!("${{Bucket.Arn}}/{key}"),
                    "${Bucket.Arn}/*".to_owned(),
                ]
                .iter()
                .any(|resource| self.text.contains(resource.as_str()))
            }
            None if place == "Queue" => true,
            None => {
                self.text.contains(&format!("!GetAtt {place}"))
                    || self.text.contains(&format!("${{{place}}}/index/"))
            }
        };
        names(action) && is_there
    }
}

/// The statements of a role, as written in the template.
fn statements(template: &str, role: &str) -> Vec<Statement> {
    let begin = template.find(&format!("\n  {role}:\n")).unwrap_or_else(|| panic!("there is no {role}"));
    let rest = &template[begin + 1..];
    let is_next = |line: &str| {
        line.starts_with("  ") && !line.starts_with("   ") && !line.trim_start().starts_with('#')
    };
    let lines = rest.lines().skip(1).take_while(|line| !is_next(line));
    let mut statements: Vec<Statement> = Vec::new();
    for line in lines {
        if line.trim_start().starts_with("- Sid:") {
            statements.push(Statement { text: String::new() });
        }
        if let Some(statement) = statements.last_mut() {
            statement.text.push_str(line);
            statement.text.push('\n');
        }
    }
    assert!(statements.len() > 3, "the statements of {role} are not found");
    statements
}

#[test]
fn a_right_that_a_role_lacks_is_missed() {
    let allows = |template: &str, action: &str, place: &str| {
        statements(template, "StoreRole").iter().any(|statement| statement.allows(action, place))
    };
    assert!(allows(TEMPLATE, "dynamodb:Query", "Table.Arn"));
    assert!(allows(TEMPLATE, "s3:PutObject", "Bucket.Arn/proofs/ab/x"));
    for (action, place) in [
        ("dynamodb:DeleteItem", "Table.Arn"),
        ("s3:PutObject", "Bucket.Arn/other/x"),
        ("s3:PutObject", "Bucket.Arn"),
    ] {
        assert!(!allows(TEMPLATE, action, place), "{action} {place}");
    }
    let poorer = TEMPLATE.replace("Action: 'dynamodb:Query'", "Action: 'dynamodb:GetItem'");
    assert!(!allows(&poorer, "dynamodb:Query", "Table.Arn"));
}

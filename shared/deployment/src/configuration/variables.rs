//! The list of all variables.

use std::fmt::{self, Write as _};

/// An environment variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The values that it accepts.
    pub takes: &'static str,
    /// The behavior where it is not set.
    pub default: &'static str,
    /// Its purpose.
    pub purpose: &'static str,
}

const fn variable(
    name: &'static str,
    takes: &'static str,
    default: &'static str,
    purpose: &'static str,
) -> Variable {
    Variable { name, takes, default, purpose }
}

/// Every variable that is read, in the order of the documentation. A variable that is set to nothing counts as not set.
pub const VARIABLES: [Variable; 56] = [
    variable(
        "STORAGE_PROVIDER",
        "`s3`, `r2` or `folder`",
        "`folder`",
        "where objects are: the primary provider",
    ),
    variable(
        "STORAGE_FALLBACK_PROVIDER",
        "`s3`, `r2` or `folder`",
        "none",
        "a second place for every object; reads fall over to it",
    ),
    variable(
        "STORAGE_FOLDER",
        "a path",
        "the data folder",
        "the folder of the provider `folder`: `objects/` stands in it, and nothing of another program's",
    ),
    variable("STORAGE_BUCKET", "a bucket's name", "none; needed for `s3`", "the bucket of S3"),
    variable(
        "STORAGE_REGION",
        "an AWS region",
        "the SDK's own chain",
        "the region of bucket, table and queue",
    ),
    variable("STORAGE_ENDPOINT", "a URL", "AWS", "another server that speaks S3"),
    variable(
        "STORAGE_CHECKSUMS",
        "`supported` or `required`",
        "`supported` at AWS, `required` elsewhere",
        "whether writes to S3 carry checksums that it keeps, and that a verification compares",
    ),
    variable(
        "STORAGE_CDN_URL",
        "a URL",
        "none",
        "the domain that objects are read from: large public ones are redirected to it. It must refuse private records itself",
    ),
    variable("STORAGE_MAX_RETRIES", "0 to 20", "2", "attempts of a call after the first"),
    variable(
        "STORAGE_TIMEOUT",
        "100 to 900000, in ms",
        "10000",
        "the longest that one call may take with its retries; a second more for each 256 KB that it sends or receives",
    ),
    variable("STORAGE_CLASS", "a storage class of S3", "`STANDARD`", "the class that objects are written in"),
    variable(
        "STORAGE_KMS_KEY",
        "the ARN or id of a KMS key",
        "none: the bucket's own, `AES256`",
        "the key that S3 encrypts with",
    ),
    variable("R2_ACCOUNT_ID", "32 hexadecimal digits", "none; needed for `r2`", "the Cloudflare account"),
    variable("R2_ACCESS_KEY_ID", "text", "none; needed for `r2`", "the id of an R2 API token"),
    variable("R2_SECRET_ACCESS_KEY", "text, a secret", "none; needed for `r2`", "the secret of that token"),
    variable("R2_BUCKET", "a bucket's name", "none; needed for `r2`", "the bucket of R2"),
    variable(
        "R2_ENDPOINT",
        "a URL",
        "the account's",
        "another server that speaks R2's S3: a local one, or a jurisdiction's",
    ),
    variable(
        "R2_CDN_URL",
        "a URL",
        "none",
        "the domain that R2 is read from: used where STORAGE_CDN_URL is not set",
    ),
    variable(
        "REDIS_URL",
        "`redis://` or `rediss://`, a secret",
        "none",
        "the second cache layer, shared by all processes",
    ),
    variable(
        "CREDLINK_TABLE",
        "a table's name",
        "none: a file in the data folder",
        "the table of DynamoDB that is the index",
    ),
    variable(
        "CREDLINK_QUEUE_URL",
        "a URL",
        "none: a queue in the data folder",
        "the queue of SQS that repairs wait in",
    ),
    variable(
        "CREDLINK_PUBLIC_URL",
        "a URL",
        "the address of the server",
        "what stands before the paths in links",
    ),
    variable(
        "CREDLINK_LINK_KEYS",
        "`NAME:SECRET[,NAME:SECRET]`, a secret",
        "`serve` makes one",
        "the keys of signed links: the one that signs, and the one before it",
    ),
    variable(
        "CREDLINK_EDGE_URL",
        "a URL",
        "none: the edge notices changes by its own lifetimes",
        "the address of the Worker that answers readers: it is told what was replaced and deleted",
    ),
    variable(
        "CREDLINK_EDGE_TOKEN",
        "32 characters or more, a secret",
        "none; needed with CREDLINK_EDGE_URL",
        "what the Worker knows the service by: its CREDLINK_PURGE_TOKEN",
    ),
    variable(
        "CREDLINK_TOKENS",
        "a path; of a function the JSON itself too",
        "none",
        "static access tokens, by their digests",
    ),
    variable("CREDLINK_JWKS", "a path or a URL", "none", "the keys that JWTs are checked with"),
    variable("CREDLINK_JWT_ISSUER", "text", "none; needed with CREDLINK_JWKS", "the issuer of accepted JWTs"),
    variable(
        "CREDLINK_JWT_AUDIENCE",
        "text",
        "none; needed with CREDLINK_JWKS",
        "the audience of accepted JWTs",
    ),
    variable("CREDLINK_JWT_TENANT_CLAIM", "a claim's name", "`tenant`", "the claim that names the tenant"),
    variable(
        "CREDLINK_JWT_DEFAULT_TENANT",
        "a tenant's name",
        "none: such tokens are refused",
        "the tenant of JWTs without that claim",
    ),
    variable(
        "CREDLINK_SIGNERS",
        "a path, or the JSON itself",
        "none: nobody's signature is known",
        "whose signatures make a C2PA manifest a tenant's own: certificates and trust anchors",
    ),
    variable("CREDLINK_CACHE_FOLDER", "a path", "none", "the third cache layer, on a disk of this machine"),
    variable("CREDLINK_CACHE_BYTES", "1000000 or more", "256000000", "how large that folder may get"),
    variable(
        "CREDLINK_INDEX_CACHE_BYTES",
        "1000000 or more",
        "67108864, or 8388608 for a migration",
        "the memory for pages of an index in a folder; one with more than 30,000 proofs is faster with more",
    ),
    variable(
        "CREDLINK_HEDGE",
        "`on` or `off`",
        "`off`",
        "whether a read that is slower than 95 % is asked of the fallback too",
    ),
    variable(
        "CREDLINK_TENANTS",
        "`one` or `several`",
        "`one`",
        "whether credentials may name other tenants than `default`, whose manifests have addresses of their own",
    ),
    variable(
        "CREDLINK_LEGACY_SOURCE",
        "`dir:PATH`, `jsonl:FILE`, `s3://BUCKET/PREFIX` or `r2://BUCKET/PREFIX`",
        "none",
        "the legacy records that answer for what is not here yet, and are taken over as they are asked for",
    ),
    variable(
        "CREDLINK_LEGACY_TENANT",
        "a tenant's name",
        "`default`",
        "whose proofs the legacy records become",
    ),
    variable(
        "CREDLINK_LEGACY_JOB",
        "a job's name",
        "`legacy`",
        "the queued migration that takes over what functions on Lambda were asked for",
    ),
    variable(
        "CREDLINK_MIGRATION_SOURCES",
        "`PLACE=TENANT[,PLACE=TENANT]`, a place being `s3://BUCKET/PREFIX` or `r2://BUCKET/PREFIX`",
        "none: no queued migration is begun over the API",
        "what queued migrations may read, and whose proofs become of it: legacy records, and what is this tenant's in a CredLink, \
         or `FROM`'s with `FROM>TENANT`; with `*` for the tenant, proofs of a CredLink keep theirs",
    ),
    variable(
        "CREDLINK_CLOUD_STORAGE",
        "`on` or `off`",
        "`on`",
        "`off` goes back to the legacy source, for reads and new proofs alone",
    ),
    variable(
        "CREDLINK_COLLECTIONS",
        "a path, or the JSON itself",
        "four collections",
        "the collections of files, beside those that are built in or in their place",
    ),
    variable(
        "CREDLINK_TENANT_BYTES",
        "1 or more",
        "no limit",
        "the most bytes of a tenant's files and uploads",
    ),
    variable("CREDLINK_TENANT_FILES", "1 or more", "no limit", "the most files and uploads of a tenant"),
    variable(
        "CREDLINK_OWNER_BYTES",
        "1 or more",
        "no limit",
        "the most bytes of an owner's files and uploads",
    ),
    variable("CREDLINK_OWNER_FILES", "1 or more", "no limit", "the most files and uploads of an owner"),
    variable(
        "CREDLINK_UPLOADS_PER_MINUTE",
        "1 to 4294967295",
        "60",
        "the uploads that an owner may announce at once, and as many more each minute, evenly",
    ),
    variable(
        "CREDLINK_TRUSTED_PROXIES",
        "networks, such as `10.0.0.0/8,2001:db8::7`",
        "none",
        "the proxies whose `X-Forwarded-For` says from where a private file was read",
    ),
    variable(
        "CREDLINK_FILES_QUEUE_URL",
        "a URL",
        "none: functions keep no files",
        "the queue of SQS in which uploads wait for the function that makes files of them; needs CREDLINK_TABLE, a bucket and \
         CREDLINK_LINK_KEYS",
    ),
    variable(
        "CREDLINK_CDN_URL",
        "a URL",
        "none: an address in the bucket that is signed for five minutes",
        "the domain to which functions send readers of public files, under the same paths: the Worker, and no cache in front of \
         this API",
    ),
    variable(
        "CREDLINK_CLAMD",
        "`unix:PATH`, or a host with a port",
        "none: nothing is scanned",
        "the clamd that scans uploaded files for malware",
    ),
    variable(
        "CREDLINK_GUARDDUTY",
        "`on` or `off`",
        "`off`",
        "functions only: an upload waits for the tag in which GuardDuty Malware Protection for S3 says what it has found",
    ),
    variable(
        "CREDLINK_SIGN_CERTIFICATE",
        "a path, or the PEM itself",
        "none: no rendition is signed",
        "the certificate that signs renditions, and those that lead to its authority",
    ),
    variable(
        "CREDLINK_SIGN_KEY",
        "a path, or the PEM itself, a secret; or the ARN of a key in AWS KMS",
        "none; needed with a certificate",
        "the key of that certificate, in PKCS#8, or of P-256 in AWS KMS",
    ),
    variable(
        "CREDLINK_METRICS_NAMESPACE",
        "text",
        "`CredLink`",
        "the namespace of the metrics in CloudWatch",
    ),
];

/// Further variables of `credlink`: options that are no settings of the service, the identity of a client, and the log.
pub const OF_THE_COMMAND: [&str; 9] = [
    "CREDLINK_ALLOW_ORIGIN",
    "CREDLINK_DATA_DIR",
    "CREDLINK_FROM_TOKEN",
    "CREDLINK_JOBS_DIR",
    "CREDLINK_LISTEN",
    "CREDLINK_LOG",
    "CREDLINK_TENANT",
    "CREDLINK_TOKEN",
    "CREDLINK_URL",
];

/// Variables of the Worker and of `tests/run`, which may be in the same environment.
const OF_OTHERS: [&str; 18] = [
    "CREDLINK_ABSENT",
    "CREDLINK_BROWSER_TOOLS",
    "CREDLINK_CACHE",
    "CREDLINK_CLOUDFLARE_API",
    "CREDLINK_FUZZ_SECONDS",
    "CREDLINK_FUZZ_TARGETS",
    "CREDLINK_NODE_TOOLS",
    "CREDLINK_IMMUTABLE_FRESH",
    "CREDLINK_IMMUTABLE_STALE",
    "CREDLINK_ORIGIN_URL",
    "CREDLINK_PROGRAM",
    "CREDLINK_PURGE_TOKEN",
    "CREDLINK_RECORD_FRESH",
    "CREDLINK_RECORD_STALE",
    "CREDLINK_STALE_IF_ERROR",
    "CREDLINK_TIMEOUT",
    "CREDLINK_ZONE_ID",
    "CREDLINK_ZONE_TOKEN",
];

/// The beginnings of names that other programs may use too: only a name that resembles one of ours is told.
const SHARED: [&str; 3] = ["STORAGE_", "R2_", "REDIS_"];

/// A variable of the environment that nothing reads, although its name says that it is for CredLink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Its name.
    pub name: String,
    /// The variable that it differs from in one or two characters, if there is one.
    pub meant: Option<&'static str>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a variable of CredLink and has no effect", self.name)?;
        self.meant.map_or(Ok(()), |meant| write!(f, "; is {meant} meant?"))
    }
}

/// Returns those of `names` that begin with `CREDLINK_` and are no variables, and those that begin like another variable and
/// differ from it in one or two characters.
pub fn unknown(names: impl Iterator<Item = String>) -> impl Iterator<Item = Unknown> {
    names.filter_map(|name| {
        let is_ours = name.starts_with("CREDLINK_");
        if !is_ours && !SHARED.iter().any(|start| name.starts_with(start)) {
            return None;
        }
        let known = VARIABLES.iter().map(|variable| variable.name).chain(OF_THE_COMMAND);
        let distances = known.map(|known| (strsim::damerau_levenshtein(&name, known), known));
        let (distance, nearest) = distances.min()?;
        if distance == 0 || OF_OTHERS.contains(&name.as_str()) {
            return None;
        }
        let meant = Some(nearest).filter(|_| distance <= 2);
        (is_ours || meant.is_some()).then_some(Unknown { name, meant })
    })
}

/// Returns the unknown variables of this process's environment, in the order of their names.
#[must_use]
pub fn unknown_in_the_environment() -> Vec<Unknown> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut found: Vec<Unknown> = unknown(names).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Returns the list as a Markdown table.
#[must_use]
pub fn table() -> String {
    let mut text = String::from("| variable | takes | without it | what it is for |\n|---|---|---|---|\n");
    for Variable { name, takes, default, purpose } in VARIABLES {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{name}` | {takes} | {default} | {purpose} |");
    }
    text
}

//! The options of the commands about proofs and manifests: put, get, verify, list, delete, withdraw and front.

use std::path::PathBuf;

use clap::Args;
use credlink_core::bounds::MAX_LIFETIME_SECONDS;
use credlink_core::manifest_id::ManifestId;
use credlink_core::tenant::Tenant;

use super::time;

/// Store the proof of a file.
#[derive(Debug, Args)]
pub struct Put {
    /// The picture or video; - is standard input
    pub file: PathBuf,
    /// The manifest, C2PA or JSON; by default the one in the file, or beside it as FILE.c2pa, its stem .c2pa or FILE.json; - is standard
    /// input
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// A file that holds a detached signature of the manifest; one that is not text is sent in base64
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// The file's media type, which it is also read as; by default found from its content or name
    #[arg(long, value_name = "TYPE")]
    pub media_type: Option<String>,
    /// How long to keep the proof, in seconds, or with a unit such as 90m, 12h or 30d; a year by default
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub expires_in: Option<u64>,
    /// A tag; may be given up to ten times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub tags: Vec<(String, String)>,
    /// Only the owner, and holders of signed links, may read it
    #[arg(long)]
    pub private: bool,
}

/// Print the record of a proof, or write its manifest.
#[derive(Debug, Args)]
pub struct Get {
    /// A file (- is standard input), its hash, a proof id, a manifest id, the URL of a record or manifest, or the id that a
    /// proof had in the store it was taken over from
    #[arg(value_name = "FILE|HASH|ID|URI")]
    pub subject: String,
    /// The manifest instead of the record: its exact bytes
    #[arg(long)]
    pub manifest: bool,
    /// A file to write, which is not there yet; - is standard output, as without it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file of --output
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// Find the proof of a file, and check everything that can be checked.
#[derive(Debug, Args)]
pub struct Verify {
    /// The picture or video; - is standard input
    pub file: PathBuf,
}

/// List proofs, oldest first.
#[derive(Debug, Args)]
pub struct List {
    /// So many at most; all by default
    #[arg(long, value_name = "COUNT", value_parser = count, allow_negative_numbers = true)]
    pub limit: Option<usize>,
}

/// Delete a proof.
#[derive(Debug, Args)]
pub struct Delete {
    /// A file (- is standard input), its hash, or a proof id
    #[arg(value_name = "FILE|HASH|ID")]
    pub subject: String,
}

/// Withdraw a manifest that was published by mistake, or publish it again.
#[derive(Debug, Args)]
pub struct Withdraw {
    /// A manifest id; or a file (- is standard input), its hash or a proof id, for the manifest of that proof
    #[arg(value_name = "ID|FILE|HASH")]
    pub subject: String,
    /// Publish it again
    #[arg(long)]
    pub undo: bool,
}

/// Print which tenant's manifest a plain address serves, or decide it. Deciding is the operator's.
#[derive(Debug, Args)]
pub struct Front {
    /// The manifest id
    #[arg(value_name = "ID")]
    pub id: ManifestId,
    /// Let the plain address serve this tenant's manifest
    #[arg(long, value_name = "TENANT")]
    pub give: Option<Tenant>,
    /// Free the plain address, for the tenant that stores the next public manifest under the id
    #[arg(long, conflicts_with = "give")]
    pub free: bool,
}

fn lifetime(text: &str) -> Result<u64, String> {
    let allowed = "from one second to ten years: 86400, 90m, 12h, 30d";
    time::time(text, 1..=MAX_LIFETIME_SECONDS, allowed).map(|time| time.as_secs())
}

fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| "a count is a whole number, 1 or more".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a tag is written KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

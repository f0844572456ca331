//! The options of the commands about proofs and manifests: put, get, verify, list, delete, withdraw and front.

use std::path::PathBuf;

use clap::Args;
use credlink_core::bounds::MAX_LIFETIME_SECONDS;
use credlink_core::manifest_id::ManifestId;
use credlink_core::tenant::Tenant;

use super::time;

/// The options of `credlink put`.
#[derive(Debug, Args)]
pub struct Put {
    /// The picture or video; - is standard input
    pub file: PathBuf,
    /// The manifest, C2PA or JSON; - is standard input. By default the one in the file, or beside it as FILE.c2pa, its
    /// stem .c2pa or FILE.json
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// A file with a detached signature of the manifest; sent as text, or in base64 if it is not text
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// The media type of the file, which decides how it is read; by default detected from its content or name
    #[arg(long, value_name = "TYPE")]
    pub media_type: Option<String>,
    /// The lifetime of the proof, in seconds or with a unit, such as 90m, 12h or 30d; a year by default
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub expires_in: Option<u64>,
    /// A tag; may be given up to ten times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub tags: Vec<(String, String)>,
    /// Let only the tenant and holders of signed links read the proof
    #[arg(long)]
    pub private: bool,
}

/// The options of `credlink get`.
#[derive(Debug, Args)]
pub struct Get {
    /// A file (- is standard input), its hash, a proof ID, a manifest ID, the URL of a record or manifest, or the
    /// legacy ID of an imported proof
    #[arg(value_name = "FILE|HASH|ID|URI")]
    pub subject: String,
    /// Write the exact bytes of the manifest instead of the record
    #[arg(long)]
    pub manifest: bool,
    /// A file to write, which must not exist yet; - is standard output, the default
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file of --output if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// The options of `credlink verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The picture or video; - is standard input
    pub file: PathBuf,
}

/// The options of `credlink list`.
#[derive(Debug, Args)]
pub struct List {
    /// The maximum number of proofs; all by default
    #[arg(long, value_name = "COUNT", value_parser = count, allow_negative_numbers = true)]
    pub limit: Option<usize>,
}

/// The options of `credlink delete`.
#[derive(Debug, Args)]
pub struct Delete {
    /// A file (- is standard input), its hash, or a proof ID
    #[arg(value_name = "FILE|HASH|ID")]
    pub subject: String,
}

/// The options of `credlink withdraw`.
#[derive(Debug, Args)]
pub struct Withdraw {
    /// A manifest ID; or a file (- is standard input), its hash or a proof ID, for the manifest of that proof
    #[arg(value_name = "ID|FILE|HASH")]
    pub subject: String,
    /// Publish the manifest again
    #[arg(long)]
    pub undo: bool,
}

/// The options of `credlink front`. Only the operator may decide.
#[derive(Debug, Args)]
pub struct Front {
    /// The manifest ID
    #[arg(value_name = "ID")]
    pub id: ManifestId,
    /// Let the plain address serve this tenant's manifest
    #[arg(long, value_name = "TENANT")]
    pub give: Option<Tenant>,
    /// Free the plain address for the tenant that stores the next public manifest under the ID
    #[arg(long, conflicts_with = "give")]
    pub free: bool,
}

fn lifetime(text: &str) -> Result<u64, String> {
    let allowed = "from one second to ten years: 86400, 90m, 12h, 30d";
    time::time(text, 1..=MAX_LIFETIME_SECONDS, allowed).map(|time| time.as_secs())
}

/// Parses the maximum number of entries of a list.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| "a count is a whole number, 1 or more".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a tag is written KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

//! `credlink list`: proofs, oldest first, page by page.

use credlink_core::bounds::MAX_PAGE;
use credlink_core::hash::MediaHash;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use serde::Deserialize;
use serde_json::Value;

use crate::args::{Connection, List};
use crate::client::{Client, Purpose};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// The fields of a proof that are shown to a person.
#[derive(Deserialize)]
struct Row {
    id: String,
    media_hash: String,
    created: String,
    expires: String,
    visibility: String,
    reads: u64,
    manifest: Manifest,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "type")]
    kind: String,
    length: u64,
}

/// Prints one line per proof. Pages are printed as they come, because a store may hold millions of proofs.
pub fn list(connection: &Connection, args: &List, printer: &Printer) -> Result<Exit, Trouble> {
    let client = Client::open(connection, Purpose::Read)?;
    let mut left = args.limit.unwrap_or(usize::MAX);
    let (mut after, mut printed) = (None, 0_usize);
    while left > 0 {
        let page = client.list(after.as_deref(), left.min(MAX_PAGE))?;
        if printed == 0 {
            check_tenant(&client, &page.proofs, printer)?;
        }
        for proof in &page.proofs {
            if printed == 0 && !printer.is_json() {
                printer.row(|| HEADING.to_owned(), &())?;
            }
            let row = line(proof)?;
            printer.row(|| row, proof)?;
            printed += 1;
        }
        left -= page.proofs.len().min(left);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if printed == 0 {
        printer.remark(match (connection.data_dir.is_some(), client.named_tenant()) {
            (false, Some(_)) => {
                "there are no proofs: the token says of which tenant, and --tenant does not change that"
            }
            _ => "there are no proofs",
        });
    }
    Ok(Exit::Done)
}

/// Checks the tenant of the listed proofs, which the token decides. If a different tenant was named, they are refused;
/// if none was named, a remark says so.
fn check_tenant(client: &Client, proofs: &[Value], printer: &Printer) -> Result<(), Trouble> {
    let tenant = client.tenant();
    let is_ours = |proof: &Value| Some(Identity::deserialize(proof).ok()?.is_of(tenant));
    if proofs.first().and_then(is_ours) != Some(false) {
        return Ok(());
    }
    let detail = format!("these are the proofs of the caller's tenant, which is not `{tenant}`");
    if *tenant != Tenant::default() {
        let detail = format!("{detail}: list with its tenant as --tenant, or with a token of `{tenant}`");
        return Err(Trouble::new(TroubleKind::Usage, detail));
    }
    printer.remark(&format!("{detail}; to find one by its file, name the tenant with --tenant"));
    Ok(())
}

/// The ID of a proof, and the media hash that it is derived from.
#[derive(Deserialize)]
struct Identity {
    id: ProofId,
    media_hash: MediaHash,
}

impl Identity {
    fn is_of(&self, tenant: &Tenant) -> bool {
        ProofId::derive(tenant, &self.media_hash) == self.id
    }
}

const HEADING: &str = "ID                                CREATED           EXPIRES     MANIFEST          BYTES      READS  SHA-256";

fn line(proof: &Value) -> Result<String, Trouble> {
    let row = Row::deserialize(proof).map_err(|error| Trouble::new(TroubleKind::NotCredLink, error))?;
    let hex = row.media_hash.trim_start_matches("sha256:");
    let private = if row.visibility == "private" { "  private" } else { "" };
    Ok(format!(
        "{:32}  {}  {}  {:16}  {:>9}  {:>5}  {}…{private}",
        row.id,
        shorten(&row.created, 16).replace('T', " "),
        shorten(&row.expires, 10),
        row.manifest.kind,
        row.manifest.length,
        row.reads,
        shorten(hex, 12),
    ))
}

fn shorten(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text)
}

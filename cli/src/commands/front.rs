//! `credlink front`: which tenant's manifest a plain address serves.

use credlink_core::access::Visibility;
use credlink_core::front::{DecidedBy, Front as Decision};
use credlink_core::manifest_id::ManifestId;
use credlink_core::tenant::Tenant;

use crate::args::{Connection, Front};
use crate::client::{Client, Purpose};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Prints which tenant's manifest the plain address of an ID serves, after deciding it if that was asked for.
pub fn front(connection: &Connection, args: &Front, printer: &Printer) -> Result<Exit, Trouble> {
    let is_decided = args.free || args.give.is_some();
    let client = Client::open(connection, if is_decided { Purpose::Change } else { Purpose::Read })?;
    let answer = if is_decided {
        client.decide_front(&args.id, args.give.as_ref())?
    } else {
        client.front(&args.id).map_err(unclaimed)?
    };
    let decision =
        Decision::parse(&answer.body).map_err(|error| Trouble::new(TroubleKind::NotCredLink, error))?;
    // A front that a migration has released means the same as no front.
    if decision.is_released() {
        return Err(nobodys(Trouble::new(TroubleKind::NoObject, "")));
    }
    printer.say(|| words(&decision, counts(&client, is_decided)), &decision)?;
    if let Some(tenant) = &args.give
        && !is_read_by_all(&client, tenant, &args.id)
    {
        printer.remark(&format!(
            "the tenant `{tenant}` has no manifest under this id that everybody can read: until it has, its plain address answers that \
             there is none"
        ));
    }
    Ok(Exit::Done)
}

/// Returns `true` unless it is known that some callers cannot read the tenant's manifest. The operator who decides may
/// be that tenant, and able to read it.
fn is_read_by_all(client: &Client, tenant: &Tenant, id: &ManifestId) -> bool {
    match client.readers(tenant, id) {
        Ok(readers) => readers != Some(Visibility::Private),
        Err(trouble) => !trouble.is_absence(),
    }
}

/// Returns the words that say when the decision takes effect, if that needs saying.
fn counts(client: &Client, is_decided: bool) -> &'static str {
    match client.has_tenants() {
        Some(true) => "",
        Some(false) => {
            "; there is one tenant, whose manifests the plain addresses serve: this counts once there are several \
             (CREDLINK_TENANTS=several)"
        }
        None if is_decided => "; it counts where the server has several tenants",
        None => "",
    }
}

fn words(front: &Decision, counts: &str) -> String {
    let Decision { manifest_id, tenant, decided_by, .. } = front;
    let Some(tenant) = tenant else {
        return format!(
            "{manifest_id}: nobody's; its plain address will be that of the tenant that stores the next public manifest under \
             it{counts}"
        );
    };
    let because = match decided_by {
        DecidedBy::Claim => "which was the first to store a public manifest under it",
        DecidedBy::Signer => "whose signer the operator lists",
        DecidedBy::Operator => "as the operator has decided",
    };
    // This does not say what is served, because the tenant's manifest may be private, deleted, or yet to be stored.
    format!("{manifest_id}: its plain address is that of the tenant `{tenant}`, {because}{counts}")
}

/// Rewords the problem of a missing front: it says what the plain address serves without one.
fn unclaimed(trouble: Trouble) -> Trouble {
    if trouble.is_unknown() { nobodys(trouble) } else { trouble }
}

/// Rewords a problem for an address that nobody has claimed.
fn nobodys(trouble: Trouble) -> Trouble {
    trouble.told_as(
        "Nobody has claimed the plain address",
        "it serves what the tenant `default` stores under the id, if anything",
    )
}

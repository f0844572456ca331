//! `credlink front`: which tenant's manifest a plain address serves.

use credlink_core::front::{DecidedBy, Front as Decision};

use crate::args::{Connection, Front};
use crate::client::{Client, Making};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::trouble::{Kind, Trouble};

/// Prints whose manifest the plain address of an id serves, after it was decided where that was asked for.
pub fn front(connection: &Connection, args: &Front, printer: &Printer) -> Result<Exit, Trouble> {
    let client = Client::open(connection, Making::Refused)?;
    let answer = if args.free || args.give.is_some() {
        client.decide_front(&args.id, args.give.as_ref())?
    } else {
        client.front(&args.id).map_err(unclaimed)?
    };
    let decision = Decision::parse(&answer.body).map_err(|error| Trouble::new(Kind::NotCredLink, error))?;
    printer.say(|| words(&decision), &decision)?;
    Ok(Exit::Done)
}

fn words(front: &Decision) -> String {
    let Decision { manifest_id, tenant, decided_by, .. } = front;
    let Some(tenant) = tenant else {
        return format!(
            "{manifest_id}: nobody's; its plain address will serve the tenant that stores the next public manifest under it"
        );
    };
    let because = match decided_by {
        DecidedBy::Claim => "which was the first to store a public manifest under it",
        DecidedBy::Signer => "whose signer the operator lists",
        DecidedBy::Operator => "as the operator has decided",
    };
    format!("{manifest_id}: its plain address serves the tenant `{tenant}`, {because}")
}

/// The same, with what holds where no front is written.
fn unclaimed(trouble: Trouble) -> Trouble {
    if trouble.is_unknown() {
        trouble.with("nobody has claimed the plain address: it serves what the tenant `default` stores under the id, if anything")
    } else {
        trouble
    }
}

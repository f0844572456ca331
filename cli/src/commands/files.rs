//! `credlink files`: uploads, files and the lists of entities, on a server.
//!
//! | to find | look in |
//! |---|---|
//! | uploading files | [`put`] |
//! | the bytes of a file | [`get`] |
//! | records, lists, links and the state of uploads | [`look`] |
//! | deleting files, and ending uploads | [`remove`] |
//! | changes to the list of an entity | [`arrange`] |
//! | making renditions anew | [`regenerate`] |
//! | requests that are sent again | [`calls`], [`backoff`] |
//! | the progress of a transfer | [`meter`] |

mod arrange;
mod backoff;
mod calls;
mod get;
mod look;
mod meter;
mod put;
mod regenerate;
mod remove;

use credlink_core::file::ListPlace;

use crate::args::Connection;
use crate::args::files::{Action, Place};
use crate::client::{Client, Purpose};
use crate::error::Trouble;
use crate::exit::Exit;
use crate::printer::Printer;

/// Runs the action that was typed.
pub fn files(connection: &Connection, action: Action, printer: &Printer) -> Result<Exit, Trouble> {
    let client = &Client::open(connection, Purpose::Files)?;
    match action {
        Action::Put(args) => put::put(client, &args, printer),
        Action::Get(args) => get::get(client, &args, printer),
        Action::Show { id } => look::show(client, &id, printer),
        Action::List(args) => look::list(client, &args, printer),
        Action::Link(args) => look::link(client, &args, printer),
        Action::Status { id } => look::status(client, &id, printer),
        Action::Delete { ids } => remove::delete(client, &ids, printer),
        Action::Abort { id } => remove::abort(client, &id, printer),
        Action::Attach { list, id, position } => {
            arrange::attach(client, &place(list), &id, position, printer)
        }
        Action::Detach { list, id } => arrange::detach(client, &place(list), &id, printer),
        Action::Replace { list, old, new } => arrange::replace(client, &place(list), (&old, &new), printer),
        Action::Order { list, ids } => arrange::order(client, &place(list), &ids, printer),
        Action::Regenerate(args) => regenerate::regenerate(client, &args, printer),
    }
}

fn place(list: Place) -> ListPlace {
    ListPlace { entity: list.entity, collection: list.collection }
}

//! The announcement of an upload: one commit of its row and of the quotas that it reserves.

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::file::{ListPlace, UploadId};
use credlink_core::http::reply::Reply;
use credlink_core::row::{Row, UploadRow};
use credlink_core::rules::entity_list::full;
use credlink_core::rules::upload::Announcement;
use http::StatusCode;
use http::header::LOCATION;

use credlink_ports::{Event, Events as _, Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::files::Files;
use crate::list_owner::{is_list_of, list_of_another};
use crate::{addresses, quotas, rows};

impl<Q: Quarantine> Files<Q> {
    /// Answers `POST /v1/uploads`.
    ///
    /// # Errors
    /// Fails as [`Announcement::parse`] and [`begin_upload`](Self::begin_upload) do, and if the quarantine cannot sign an
    /// address.
    pub(crate) async fn announce<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        body: Bytes,
    ) -> Result<Reply, Error> {
        let announcement = Announcement::parse(&body, &self.settings.collections, caller)?;
        let row = self.begin_upload(service, caller, announcement).await?;
        let document = addresses::announcement_document(&self.quarantine, &row, service.now()).await?;
        let reply = Reply::json(StatusCode::CREATED, &document);
        Ok(reply.with(LOCATION, &format!("/v1/uploads/{}", row.id)))
    }

    /// Begins the upload that `caller` announces: reserves its bytes, and returns its row.
    ///
    /// # Errors
    /// Fails with 403 if the entity's list has files of another owner, with 409 if the list is full, with 429 if the owner
    /// announces too often, and with 507 if a quota has no room. Also fails if the index fails.
    pub async fn begin_upload<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        announcement: Announcement,
    ) -> Result<UploadRow, Error> {
        self.check_room(service, caller, &announcement).await?;
        let id = UploadId::from_random(self.random()?);
        let row = announcement.row(id, service.now());
        for attempt in 0..MAX_ATTEMPTS {
            let tenant = (&row.tenant, self.settings.tenant_limits);
            let owner = (row.owner.as_ref(), self.settings.owner_limits);
            let mut changes = Changes::default();
            let rate = self.settings.announcements_per_minute;
            changes.put_all(quotas::reserved(service, tenant, owner, row.size, rate).await?);
            changes.put(Row::Upload(row.clone()));
            if changes.commit(service).await? {
                service.ports().events().record(Event::UploadAnnounced);
                return Ok(row);
            }
            self.give_way(attempt).await;
        }
        Err(contended())
    }

    /// Checks that the list for which an upload is announced has room, and no files of another owner. It is checked again
    /// when the upload becomes a file.
    ///
    /// # Errors
    /// Fails with 403 if the list has files of another owner, and with 409 if it is full. Also fails if the index fails.
    async fn check_room<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        announcement: &Announcement,
    ) -> Result<(), Error> {
        let (Some(entity), name) = announcement.place() else { return Ok(()) };
        let place = ListPlace { entity: entity.clone(), collection: name.clone() };
        let most = self.collection(name).map_or(usize::MAX, |rules| rules.max_per_entity());
        let row = rows::list(service, &caller.tenant, &place).await?;
        if !is_list_of(service, row.as_ref(), announcement.owner()).await? {
            return Err(list_of_another(&place).into());
        }
        if row.is_some_and(|row| row.files.files().len() >= most) {
            return Err(full(&place, most).into());
        }
        Ok(())
    }
}

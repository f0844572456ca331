//! Copies of orphans, which are kept for some days after their removal (guarantee 10).

use credlink_core::object::{Object, ObjectKey};

use credlink_ports::{Condition, Failure, Objects as _, Ports};

use crate::service::Service;

/// Keeps an object, and the earlier records that go with it, before it is removed.
pub(crate) async fn keep<P: Ports>(service: &Service<P>, key: &ObjectKey) -> Result<(), Failure> {
    keep_one(service, key).await?;
    let ObjectKey::Record(id) = key else { return Ok(()) };
    let mut after = None;
    loop {
        let page = service.ports.objects().list(&ObjectKey::revisions(id), after.as_deref(), 1_000).await?;
        for listed in page.items {
            if let Ok(revision) = listed.key.parse() {
                keep_one(service, &revision).await?;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn keep_one<P: Ports>(service: &Service<P>, key: &ObjectKey) -> Result<(), Failure> {
    let Some(object) = service.ports.objects().get(key).await? else { return Ok(()) };
    // The bytes are copied unchanged, even if they are damaged.
    let kept = ObjectKey::Removed(service.now(), Box::new(key.clone()));
    let Object { head, body } = object;
    service.ports.objects().put(&kept, body, &head.attributes, Condition::Absent).await?;
    Ok(())
}

//! Amounts that rows repeat of other rows: the holders of a blob, and what the files and uploads of a tenant and its owners
//! add to their quotas. They are compared without a map of all blobs and owners.
//!
//! Each file and upload adds what it counts for to one of 65,536 sums, multiplied by the fingerprint of the amount, and each
//! row that repeats an amount subtracts it. If every sum is zero, every amount is right, up to a chance of one in 2^64.
//! Otherwise a second walk over the rows counts the amounts of the wrong sums.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use credlink_core::file::OwnerId;
use credlink_core::hash::Digest;
use credlink_core::row::{BlobRow, QuotaRow, Row, RowKey, State};
use credlink_core::tenant::Tenant;

use credlink_ports::{Failure, Index as _, Listing, Ports};

use crate::rows::claim;
use crate::service::Service;

/// Sums, one for each value of the first two bytes of a digest.
const SUMS: usize = 65_536;

/// Most amounts that are counted one by one: 100,000 × about 300 bytes. If more are wrong, the first of them are reported.
const MAX_COUNTED: usize = 100_000;

/// Rows of one page.
const PAGE: usize = 1_000;

/// A member of a row that repeats what other rows have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Member {
    /// The files that hold a blob.
    Holders,
    /// The bytes of the files of a quota.
    Used,
    /// The bytes that the uploads of a quota have announced.
    Reserved,
    /// The files of a quota.
    Files,
    /// The uploads of a quota that may still become files.
    Uploads,
}

/// An amount: the row that repeats it, and its member.
pub(crate) type Amount = (RowKey, Member);

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holders => "files that hold it",
            Self::Used => "bytes of files",
            Self::Reserved => "bytes of uploads",
            Self::Files => "files",
            Self::Uploads => "uploads under way",
        })
    }
}

/// Calls `note` with each amount to which a row adds, or which it repeats: what it adds, and what it says.
fn each(row: &Row, mut note: impl FnMut(Amount, u64, u64)) {
    let quotas = |tenant: &Tenant, owner: Option<&OwnerId>| {
        let whose = [Some(None), owner.cloned().map(Some)];
        whose.into_iter().flatten().map(|owner| RowKey::Quota(tenant.clone(), owner)).collect::<Vec<_>>()
    };
    match row {
        Row::File(row) if row.state == State::Live => {
            note((RowKey::Blob(row.blob()), Member::Holders), 1, 0);
            for quota in quotas(&row.tenant, row.owner.as_ref()) {
                note((quota.clone(), Member::Used), row.bytes, 0);
                note((quota, Member::Files), 1, 0);
            }
        }
        Row::Upload(row) if !row.state.is_final() => {
            for quota in quotas(&row.tenant, row.owner.as_ref()) {
                note((quota.clone(), Member::Reserved), row.size, 0);
                note((quota, Member::Uploads), 1, 0);
            }
        }
        Row::Blob(blob) => note((row.key(), Member::Holders), 0, blob.holders.into()),
        Row::Quota(quota) => {
            let key = row.key();
            note((key.clone(), Member::Used), 0, quota.used);
            note((key.clone(), Member::Reserved), 0, quota.reserved);
            note((key.clone(), Member::Files), 0, quota.files);
            note((key, Member::Uploads), 0, quota.uploads);
        }
        _ => {}
    }
}

/// The sums.
pub(crate) struct Amounts(Vec<u64>);

impl Default for Amounts {
    fn default() -> Self {
        Self(vec![0; SUMS])
    }
}

/// Returns the index of an amount's sum, and its fingerprint.
fn fingerprint((key, member): &Amount) -> (usize, u64) {
    let digest = Digest::of(format!("{key} {member}").as_bytes());
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let (place, rest) = digest.as_bytes().split_at(2);
    (usize::try_from(number(place)).unwrap_or(0) % SUMS, number(rest.get(..8).unwrap_or(rest)))
}

impl Amounts {
    /// Adds a row.
    pub(crate) fn note(&mut self, row: &Row) {
        each(row, |amount, counted, recorded| {
            let (place, print) = fingerprint(&amount);
            if let Some(sum) = self.0.get_mut(place) {
                *sum = sum.wrapping_add(print.wrapping_mul(counted.wrapping_sub(recorded)));
            }
        });
    }

    /// Returns `true` if every amount is right.
    pub(crate) fn agree(&self) -> bool {
        self.0.iter().all(|sum| *sum == 0)
    }
}

/// An amount that was counted: what the rows have, what the row says that repeats it, and whether there is such a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The amount that rows have.
    pub(crate) counted: u64,
    /// The amount that is repeated, if there is a row that does so.
    pub(crate) recorded: Option<u64>,
}

/// The amounts of wrong sums, counted one by one.
pub(crate) struct Suspects {
    places: BTreeSet<usize>,
    counted: BTreeMap<Amount, Counted>,
}

impl Suspects {
    pub(crate) fn of(amounts: &Amounts) -> Self {
        let wrong = amounts.0.iter().enumerate().filter(|(_, sum)| **sum != 0);
        Self { places: wrong.map(|(place, _)| place).collect(), counted: BTreeMap::new() }
    }

    /// Counts the suspects in a walk over the rows.
    pub(crate) async fn count<P: Ports>(&mut self, service: &Service<P>) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = service.ports.index().list(&Listing::All, after.as_deref(), PAGE).await?;
            let page = page.unwrap_or_default();
            for row in &page.items {
                each(row, |amount, more, recorded| {
                    let is_room = self.counted.len() < MAX_COUNTED || self.counted.contains_key(&amount);
                    if !self.places.contains(&fingerprint(&amount).0) || !is_room {
                        return;
                    }
                    let repeats = row.key() == amount.0;
                    let counted = self.counted.entry(amount).or_default();
                    counted.counted += more;
                    if repeats {
                        counted.recorded = Some(recorded);
                    }
                });
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Removes the suspects that `other` has counted differently, because they were being changed.
    pub(crate) fn keep_those_of(&mut self, other: &Self) {
        self.counted.retain(|amount, counted| other.counted.get(amount) == Some(counted));
    }

    /// Returns the amounts that are wrong.
    pub(crate) fn wrong(self) -> impl Iterator<Item = (Amount, Counted)> {
        self.counted.into_iter().filter(|(_, counted)| counted.counted != counted.recorded.unwrap_or(0))
    }
}

/// Corrects an amount in the row that repeats it, if the row still says what it said when the amount was counted. Returns `true`
/// if it was corrected.
pub(crate) async fn correct<P: Ports>(
    service: &Service<P>,
    (key, member): &Amount,
    Counted { counted, recorded }: Counted,
) -> Result<bool, Failure> {
    let (row, says) = match (service.ports.index().get(key).await?, key) {
        (Some(Row::Blob(row)), _) if row.state == State::Live => {
            let (holders, says) = (u32::try_from(counted).unwrap_or(u32::MAX), row.holders.into());
            let unheld = (holders == 0).then(|| row.unheld.unwrap_or_else(|| service.now()));
            (Row::Blob(BlobRow { holders, unheld, version: row.version + 1, ..row }), says)
        }
        (Some(Row::Quota(row)), _) => {
            let says = of(&row, *member);
            (Row::Quota(with(row, *member, counted)), says)
        }
        (None, RowKey::Quota(tenant, owner)) => {
            (Row::Quota(with(QuotaRow::empty(tenant.clone(), owner.clone()), *member, counted)), 0)
        }
        _ => return Ok(false),
    };
    if says != recorded.unwrap_or(0) {
        return Ok(false);
    }
    let expected = row.version().checked_sub(1).filter(|version| *version > 0);
    claim(service, row, expected).await
}

const fn of(row: &QuotaRow, member: Member) -> u64 {
    match member {
        Member::Used => row.used,
        Member::Reserved => row.reserved,
        Member::Files => row.files,
        Member::Uploads => row.uploads,
        Member::Holders => 0,
    }
}

fn with(row: QuotaRow, member: Member, counted: u64) -> QuotaRow {
    let mut row = QuotaRow { version: row.version + 1, ..row };
    match member {
        Member::Used => row.used = counted,
        Member::Reserved => row.reserved = counted,
        Member::Files => row.files = counted,
        Member::Uploads => row.uploads = counted,
        Member::Holders => {}
    }
    row
}

/// Corrects the rows of all quotas that do not say what the rows of files and uploads add up to. Amounts are counted twice, and
/// only those are corrected that nobody else was changing. Returns the quotas that were wrong.
pub(crate) async fn correct_quotas<P: Ports>(service: &Service<P>) -> Result<BTreeSet<RowKey>, Failure> {
    let mut amounts = Amounts::default();
    let mut after = None;
    loop {
        let page = service.ports.index().list(&Listing::All, after.as_deref(), PAGE).await?;
        let page = page.unwrap_or_default();
        page.items.iter().for_each(|row| amounts.note(row));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut corrected = BTreeSet::new();
    if amounts.agree() {
        return Ok(corrected);
    }
    let (mut suspects, mut again) = (Suspects::of(&amounts), Suspects::of(&amounts));
    suspects.count(service).await?;
    again.count(service).await?;
    suspects.keep_those_of(&again);
    for (amount, counted) in suspects.wrong() {
        if matches!(amount.0, RowKey::Quota(..)) && correct(service, &amount, counted).await? {
            corrected.insert(amount.0);
        }
    }
    Ok(corrected)
}

//! The arithmetic of quotas: reserve when an upload is announced, settle when it becomes a file, release when it does
//! not, free when the file is deleted.
//!
//! Each step is committed together with the row of the upload or file that it counts, so that none is counted twice or
//! forgotten. What does not add up is an error, and is not rounded to zero: a quota that is wrong must be noticed.

use crate::http::problem::{Problem, ProblemKind};
use crate::row::QuotaRow;

/// The limits of a tenant, or of one owner within it. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes, stored and reserved together.
    pub bytes: Option<u64>,
    /// The most files, ready and announced together.
    pub files: Option<u64>,
}

/// The error for an amount that was never reserved or stored: the row and what it counts do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the quota of {whose} does not add up: {detail}")]
pub struct QuotaError {
    whose: String,
    detail: String,
}

/// A reason why an upload cannot be reserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// There is no room.
    #[error("{0}")]
    Exceeded(Exceeded),
    /// The row does not add up.
    #[error("{0}")]
    Wrong(#[from] QuotaError),
}

/// A quota without room for an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    /// `true` if it is the owner's quota, and not the tenant's.
    pub is_owners: bool,
    /// `true` if bytes are counted, and not files.
    pub is_bytes: bool,
    /// The limit.
    pub limit: u64,
    /// The amount that is stored and reserved.
    pub taken: u64,
    /// The amount that was asked for.
    pub asked: u64,
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { is_owners, is_bytes, limit, taken, asked } = self;
        let whose = if *is_owners { "owner" } else { "tenant" };
        let unit = if *is_bytes { "bytes" } else { "files" };
        write!(
            f,
            "the {whose} may have {limit} {unit}, and has {taken}, with uploads that are under way; there is no room for \
             {asked} more; delete files, or abort uploads"
        )
    }
}

impl Exceeded {
    /// Returns the answer: 507.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::new(ProblemKind::QuotaExceeded, self.to_string())
            .with("quota", if self.is_owners { "owner" } else { "tenant" })
            .with("unit", if self.is_bytes { "bytes" } else { "files" })
            .with("limit", self.limit)
            .with("taken", self.taken)
    }
}

/// Returns the row with room for an upload of `size` bytes, with the next version.
///
/// # Errors
/// [`ReserveError`] lists them.
pub fn reserve(row: &QuotaRow, limits: Limits, size: u64) -> Result<QuotaRow, ReserveError> {
    let exceeded = |is_bytes, limit, taken, asked| Exceeded {
        is_owners: row.owner.is_some(),
        is_bytes,
        limit,
        taken,
        asked,
    };
    let bytes = plus(row, "used bytes", row.used, row.reserved)?;
    let files = plus(row, "files", row.files, row.uploads)?;
    for (is_bytes, limit, taken, asked) in
        [(true, limits.bytes, bytes, size), (false, limits.files, files, 1)]
    {
        if let Some(limit) = limit
            && taken.checked_add(asked).is_none_or(|all| all > limit)
        {
            return Err(ReserveError::Exceeded(exceeded(is_bytes, limit, taken, asked)));
        }
    }
    Ok(QuotaRow {
        reserved: plus(row, "reserved bytes", row.reserved, size)?,
        uploads: plus(row, "uploads", row.uploads, 1)?,
        ..next(row)
    })
}

/// Returns the row after an upload of `size` bytes became a file, with the next version.
///
/// # Errors
/// Fails if that much was not reserved.
pub fn settle(row: &QuotaRow, size: u64) -> Result<QuotaRow, QuotaError> {
    Ok(QuotaRow {
        used: plus(row, "used bytes", row.used, size)?,
        files: plus(row, "files", row.files, 1)?,
        ..release(row, size)?
    })
}

/// Returns the row after an upload of `size` bytes ended without a file, with the next version.
///
/// # Errors
/// Fails if that much was not reserved.
pub fn release(row: &QuotaRow, size: u64) -> Result<QuotaRow, QuotaError> {
    Ok(QuotaRow {
        reserved: minus(row, "reserved bytes", row.reserved, size)?,
        uploads: minus(row, "uploads", row.uploads, 1)?,
        ..next(row)
    })
}

/// Returns the row after so many files, of `size` bytes together, were deleted, with the next version.
///
/// # Errors
/// Fails if that much was not used.
pub fn free(row: &QuotaRow, files: u64, size: u64) -> Result<QuotaRow, QuotaError> {
    Ok(QuotaRow {
        used: minus(row, "used bytes", row.used, size)?,
        files: minus(row, "files", row.files, files)?,
        ..next(row)
    })
}

fn next(row: &QuotaRow) -> QuotaRow {
    QuotaRow { version: row.version + 1, ..row.clone() }
}

fn plus(row: &QuotaRow, what: &str, now: u64, more: u64) -> Result<u64, QuotaError> {
    now.checked_add(more).ok_or_else(|| wrong(row, format!("{now} {what} and {more} are too many to count")))
}

fn minus(row: &QuotaRow, what: &str, now: u64, less: u64) -> Result<u64, QuotaError> {
    now.checked_sub(less)
        .ok_or_else(|| wrong(row, format!("there are {now} {what}, which is less than {less}")))
}

fn wrong(row: &QuotaRow, detail: String) -> QuotaError {
    let whose = match &row.owner {
        Some(owner) => format!("the owner `{owner}` of the tenant `{}`", row.tenant),
        None => format!("the tenant `{}`", row.tenant),
    };
    QuotaError { whose, detail }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tenant::Tenant;

    fn empty() -> QuotaRow {
        QuotaRow::empty(Tenant::default(), Some("ann".parse().unwrap()))
    }

    #[test]
    fn the_last_byte_fits_and_the_next_does_not() {
        let limits = Limits { bytes: Some(100), files: Some(2) };
        let row = reserve(&empty(), limits, 60).unwrap();
        assert_eq!((row.reserved, row.uploads, row.used, row.files, row.version), (60, 1, 0, 0, 1));
        let row = settle(&row, 60).unwrap();
        assert_eq!((row.reserved, row.uploads, row.used, row.files, row.version), (0, 0, 60, 1, 2));
        let Err(ReserveError::Exceeded(exceeded)) = reserve(&row, limits, 41) else { panic!("no room") };
        assert_eq!((exceeded.limit, exceeded.taken, exceeded.asked), (100, 60, 41));
        let problem = exceeded.problem();
        assert_eq!((problem.kind.status().as_u16(), &problem.members["quota"]), (507, &"owner".into()));
        assert!(problem.detail.starts_with("the owner may have 100 bytes, and has 60,"), "{problem}");
        let row = reserve(&row, limits, 40).unwrap();
        let Err(ReserveError::Exceeded(exceeded)) = reserve(&row, limits, 0) else { panic!("no room") };
        assert_eq!((exceeded.is_bytes, exceeded.limit, exceeded.taken), (false, 2, 2));
        let row = free(&release(&row, 40).unwrap(), 1, 60).unwrap();
        assert_eq!(QuotaRow { version: 0, ..row }, empty());
        assert!(reserve(&empty(), Limits::default(), u64::MAX).is_ok());
    }

    #[test]
    fn what_was_never_counted_is_not_taken_away() {
        let row = reserve(&empty(), Limits::default(), 5).unwrap();
        assert!(release(&row, 6).is_err() && settle(&row, 6).is_err() && free(&row, 1, 1).is_err());
        let error = free(&row, 1, 1).unwrap_err().to_string();
        assert_eq!(
            error,
            "the quota of the owner `ann` of the tenant `default` does not add up: there are 0 used bytes, which is less \
             than 1"
        );
        let full = QuotaRow { used: u64::MAX, ..row };
        assert!(matches!(reserve(&full, Limits::default(), 1), Err(ReserveError::Wrong(_))));
        assert!(settle(&full, 5).is_err());
    }

    proptest! {
        /// In whatever order uploads end and files are deleted, nothing is left in the end.
        #[test]
        fn everything_is_given_back(uploads in proptest::collection::vec((0_u64..1_000, any::<bool>()), 0..40)) {
            let limits = Limits { bytes: Some(40_000), files: Some(40) };
            let mut row = empty();
            for (size, _) in &uploads {
                row = reserve(&row, limits, *size).unwrap();
            }
            for (size, becomes_a_file) in &uploads {
                row = if *becomes_a_file { settle(&row, *size) } else { release(&row, *size) }.unwrap();
            }
            let kept: u64 = uploads.iter().filter(|(_, kept)| *kept).map(|(size, _)| size).sum();
            prop_assert_eq!((row.used, row.reserved, row.uploads), (kept, 0, 0));
            let files = row.files;
            let together = free(&row, files, kept).unwrap();
            for (size, _) in uploads.iter().filter(|(_, kept)| *kept).rev() {
                row = free(&row, 1, *size).unwrap();
            }
            prop_assert_eq!(QuotaRow { version: 0, ..together }, empty());
            prop_assert_eq!(QuotaRow { version: 0, ..row }, empty());
        }
    }
}

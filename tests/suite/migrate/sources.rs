//! The items that sources yield: legacy records in buckets, and a CredLink in each of its forms. Folders and dumps of
//! legacy records are tested beside their code.

mod bucket;
mod credlink;

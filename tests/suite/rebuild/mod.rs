//! An index that is lost, or older than the objects, and the result of a rebuild: every row is compared.

mod clouds;
mod faults;
mod files;
mod full;
mod killed;
mod kills;
mod memory;
mod older;

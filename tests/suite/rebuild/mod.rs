//! An index that is lost, or older than the objects, and what a rebuild makes of it: every row is compared.

mod clouds;
mod faults;
mod files;
mod full;
mod killed;
mod kills;
mod memory;
mod older;

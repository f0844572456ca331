//! Files on a real `credlink serve`: from the announcement of an upload to the bytes that readers get, with pictures that
//! the tests make, and with a server that is killed in between.
//!
//! `client` is a client as an application would have one, and `pictures` makes pictures. `flows` has the ways that bytes
//! take, `refused` what is rejected, `scanned` what is scanned for malware, `lists` the lists of entities, `search` other
//! look-ups, `readers` access and delivery, `long` originals that are sent piece by piece and what many requests for one
//! picture take, `audit` the log of accesses, `stats` what is counted, and `killed` the sudden end of the server. `ground`
//! has the use cases over doubles, and `steps` interrupts the finaliser there at each of its writes. `behind` has rows that are behind their records, `due` the
//! acts of the sweeper and its omissions, and `many` deletes many files at once. `proofs` are those of files. `checked` damages a store of files, and
//! checks and rebuilds it. `kept` has what must not be lost: by failures that pass, and by an index or a clock that is wrong.
//! `blobs` stops whoever writes or removes a blob between any two calls, while others go on. `signed` has renditions with
//! signed manifests, on a server and at each write (`signed/steps`).

mod audit;
mod behind;
mod blobs;
mod checked;
pub mod client;
mod due;
mod flows;
mod ground;
mod kept;
mod killed;
mod lists;
mod long;
mod many;
pub mod pictures;
mod proofs;
mod readers;
mod refused;
mod scanned;
mod search;
pub mod signed;
mod stats;
mod steps;

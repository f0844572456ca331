//! The test suite: one binary, so that it is linked once.
//!
//! `contracts` holds a suite for every port. Each case is a function over the port, and runs over every adapter of
//! it, with the adapter's name in the test's name. `http` is the API as a client sees it, and `races` what many
//! clients at once may not break; both run in a `world`, a service over chosen adapters with a clock of its own. `faults`
//! interrupts every use case at each of its steps, with one provider and with two, `repair` has the cases of a repair,
//! `crash` kills a real server, `disconnects` breaks off the connections of one, `door` has clients that neither read nor
//! send, and those that a server without credentials refuses, `full_disk` takes the room of one, and
//! `guard` has indexes that were lost or put back, and clocks that jump. `refused` has what requests that are refused or cut off
//! leave, `expiry` the end of a proof's time, and `collector` what cleanup takes for orphans. `tenants` has several tenants in one
//! deployment. `guarantees` has a test for each guarantee of the design, and `formats` properties of what is stored and sent. `caches` is what layers and processes do together. `engines`
//! starts the real S3, R2, DynamoDB,
//! SQS and Redis that adapters are tested against; `tests/run tools` installs them. `buckets` opens buckets of S3 and R2, and
//! `storage` tries everything that is done with them beyond the port. `dynamodb` is what its index has to do beyond the
//! contract: calls, faults, load. `replica` is a server with a bucket as its second provider, and
//! `outages` runs whole deployments over the engines while one of them is out of reach, and counts what operations cost.
//! `purges` is what the edge is told. `signers` is whose signature a manifest has, `busy` what the worst bodies do to everybody
//! else, and `gateway` something that answers 404 and is no CredLink. `migrate` is where proofs are taken over from, and where to, and `jobs` runs the
//! binary through whole jobs, and kills it; `hybrid` serves beside a legacy source. `stack` deploys `template.yaml` to a
//! local AWS, and `clouds` runs the functions themselves over the engines.

// `cfg(test)` holds for the whole binary; written out, it tells clippy that these modules may unwrap.
#[cfg(test)]
mod buckets;
#[cfg(test)]
mod busy;
#[cfg(test)]
mod caches;
#[cfg(test)]
mod clouds;
#[cfg(test)]
mod collector;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod disconnects;
#[cfg(test)]
mod door;
#[cfg(test)]
mod dynamodb;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod engines;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod guarantees;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod http;
#[cfg(test)]
mod hybrid;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod purges;
#[cfg(test)]
mod races;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod replica;
#[cfg(test)]
mod server;
#[cfg(test)]
mod signers;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod world;

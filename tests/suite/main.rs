//! The test suite: one binary, so that it is linked once.
//!
//! `contracts` holds a suite for every port. Each case is a function over the port, and runs over every adapter of the
//! port, with the adapter's name in the test's name. `http` is the API as a client sees it, and `races` what many
//! concurrent clients must not break; both run in a `world`, a service over chosen adapters with its own clock.
//!
//! `faults` interrupts every use case at each of its steps, with one provider and with two, `repair` has the cases of a
//! repair, `crash` kills a real server, `disconnects` breaks off the connections of one, `door` has clients that
//! neither read nor send, and those that a server without credentials refuses, `full_disk` fills the disk of one, and
//! `guard` has indexes that were lost or restored, and clocks that jump. `refused` tests what refused or interrupted
//! requests leave behind, `expiry` the end of a proof's lifetime, and `collector` the objects that cleanup takes for
//! orphans. `tenants` has several tenants in one deployment. `guarantees` has a test for each guarantee of the design,
//! `formats` properties of the stored and transmitted formats, and `at_rest` the stored forms of manifests. `caches`
//! tests layers and processes together.
//!
//! `engines` starts the real S3, R2, DynamoDB, SQS and Redis against which adapters are tested; `tests/run tools`
//! installs them. `buckets` opens buckets of S3 and R2, and `storage` tests everything that is done with them beyond
//! the port. `dynamodb` tests the index beyond its contract: calls, faults, load. `replica` is a server with a bucket
//! as its second provider, and `outages` runs whole deployments over the engines while one of them is unreachable, and
//! counts the cost of operations. `purges` tests the calls to the edge.
//!
//! `files` takes pictures and documents through the whole life of a file on a real server.
//!
//! `signers` finds out whose signature a manifest has, `busy` measures the effect of the worst bodies on other callers,
//! and `gateway` is a server that answers 404 and is not CredLink. `migrate` tests the sources and destinations of
//! migrations, and `jobs` runs the binary through whole jobs, and kills it; `hybrid` serves beside a legacy source.
//! `stack` deploys `template.yaml` to a local AWS, and `clouds` runs the functions themselves over the engines.

// `cfg(test)` holds for the whole binary. Written out, it tells clippy that these modules may unwrap.
#[cfg(test)]
mod at_rest;
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
mod files;
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

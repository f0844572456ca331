//! The program as it is run: one process per command, over a folder and over a server on a free port.
//!
//! `files` and `interrupted` transfer files, the latter through a `relay`. Short output for people is compared as a whole,
//! and output with paths and times by its significant part. Every check includes the exit code. `samples` has files of every
//! format, and `signed` signs them. `readme` runs the commands of the README as a reader does.

// `cfg(test)` holds for the whole binary. Written out, it tells clippy that these modules may unwrap.
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod files;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod help;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod life;
#[cfg(test)]
mod printed;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod readme;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod told;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod world;

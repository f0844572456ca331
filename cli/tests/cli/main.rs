//! The program as it is run: one process a command, over a folder and over a server on a free port.
//!
//! What a command prints for people is compared as a whole where it is short, and by its telling part where paths and
//! times are in it. Exit codes are part of every check. `samples` are files of every format, and `signed` signs them.

// `cfg(test)` holds for the whole binary; written out, it tells clippy that these modules may unwrap.
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod help;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod life;
#[cfg(test)]
mod printed;
#[cfg(test)]
mod rebuild;
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

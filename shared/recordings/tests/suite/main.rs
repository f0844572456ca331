//! Recordings as a service would serve them, over real files of `tests/media`, which ffmpeg has made.
//!
//! `ground` plans, reads and views a recording. `oracle` compares the views with another reader of MP4 files, `playlists` are
//! those of HLS and DASH, and `refused` has what is not played.

// `cfg(test)` holds for the whole binary. Written out, it tells clippy that these modules may unwrap.
#[cfg(test)]
mod ground;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod playlists;
#[cfg(test)]
mod refused;

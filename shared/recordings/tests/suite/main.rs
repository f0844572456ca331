//! Recordings as a service would serve them, over real files of `tests/media`, which `make.sh` there has made with ffmpeg.
//!
//! `ground` plans, reads and views a recording. `oracle` compares the views with another reader of MP4 files, `gathered` has odd
//! fragments, `parsers` reads playlists and generated boxes with the parsers of others, `shifted` has edit lists and times that do
//! not begin at 0, `playlists` are those of HLS and DASH, `stored` is the format of the index, and `refused` has what is not played.

// `cfg(test)` holds for the whole binary. Written out, it tells clippy that these modules may unwrap.
#[cfg(test)]
mod gathered;
#[cfg(test)]
mod ground;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod parsers;
#[cfg(test)]
mod playlists;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod shifted;
#[cfg(test)]
mod stored;

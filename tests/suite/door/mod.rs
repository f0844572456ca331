//! The connections of the server: clients that do not read, do not send and do not leave, over HTTP/1.1 and HTTP/2.
//!
//! Each case holds up to 2,048 connections to a real server, and measures how other clients are served meanwhile and
//! the most memory that the process used. The server's own limits apply, so the waits here take seconds.

mod clients;
mod ground;
mod heads;
mod shares;
mod unread;
mod uploads;

//! The door of the server: clients that do not read, do not send and do not go, by HTTP/1.1 and HTTP/2.
//!
//! Each case holds up to 2,048 connections to a real server, measures what others get meanwhile, and how much memory the
//! process took at most. The server's own limits apply: what is waited for here takes seconds.

mod clients;
mod ground;
mod heads;
mod shares;
mod unread;
mod uploads;

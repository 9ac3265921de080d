//! `stethoscope serve`, tried from outside: its doors with plain HTTP, its jobs over the socket, and a server that is killed.

/// A server under test, and both ways to speak to it.
mod client;
/// Who is let in, and what they are told if not.
mod doors;
/// What a client may name.
mod files;
/// Jobs that outlive who asked for them, and the server.
mod jobs;

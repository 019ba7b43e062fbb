//! The voice and the launcher as programs, with Twilio and the gateway around them played by the tests.

mod containers;
mod launcher;
mod outside;
mod socket;
mod sockets;
mod twilio;
mod voice;

//! Twilio: what is sent to its REST API, what its callbacks say, and whether they are genuine.

pub mod callback;
pub mod dial;
pub mod signature;
pub mod twiml;

/// Twilio's public REST API.
pub const API: &str = "https://api.twilio.com";

//! A Twilio on loopback: its REST API, its callbacks, its media streams, and its bad days.
//!
//! A call's story is chosen by the number it dials ([`scenario`]). A create request ([`rest`]) starts one task per
//! call ([`call`]) that rings, fetches the TwiML ([`documents`]), carries it out ([`verbs`]), streams audio to and
//! from a simulated person ([`media`], [`contact`]) and tells each step ([`callbacks`]). All of it is kept
//! ([`record`]) and shown under `/_sim` ([`desk`]), beside an inbox that stands for customers' servers ([`inbox`]).

pub mod speech;

mod amd;
mod call;
mod callbacks;
mod clock;
mod contact;
mod desk;
mod documents;
mod faults;
mod inbox;
mod list;
mod media;
mod order;
mod outbox;
mod playout;
mod record;
mod recording;
mod refusal;
mod rest;
mod scenario;
mod server;
mod session;
mod shown;
mod sign;
mod socket;
mod stream_status;
mod twilio;
mod twiml;
mod vectors;
mod verbs;
mod webhook;

pub use server::serve;
pub use twilio::{Account, Config};
pub use vectors::vectors;

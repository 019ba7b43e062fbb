//! What a call is. One word per idea, whatever the five APIs call it:
//!
//! - **agent**: who talks (workflow, bot, assistant)
//! - **organization**: whose agent, key and numbers these are
//! - **call**: one phone call (workflow run, session, outbound call)
//! - **variables**: what a program tells the agent about this call
//! - **caller**: the number called from; **contact**: the person called
//! - **telephony configuration**: one Twilio account of an organization
//! - **event**: one fact about a call; **seat**: the right to have one call live
//! - **problem**: a request that fails; **dialect**: one vendor's API
//!
//! Nothing here waits, reads a clock or names a platform.

pub mod analysis;
pub mod attempts;
pub mod call;
pub mod chat;
pub mod config;
pub mod crm;
pub mod dialect;
pub mod event;
pub mod id;
pub mod inbound;
pub mod known;
pub mod list;
pub mod media;
pub mod plan;
pub mod problem;
pub mod record;
pub mod report;
pub mod result;
pub mod rules;
pub mod seal;
pub mod seats;
pub mod secret;
pub mod settings;
pub mod socket;
pub mod suppression;
pub mod time;
pub mod token;
pub mod twilio;
pub mod voice;
pub mod wake;

//! How calls are woken where the host has no alarms: what the gateway tells the launcher, and the launcher the gateway.

use serde::{Deserialize, Serialize};

/// Answer to `POST /internal/tick`: calls that are due, to be woken by `POST /internal/wake/{call}` each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticked {
    pub due: Vec<Due>,
    /// Whether more are due.
    pub more: bool,
}

/// A call that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    pub call: String,
    /// Calls of one lane may hold each other up, and no others.
    pub lane: String,
    /// What is handed in when the call was woken; a call whose ticket is not comes again.
    pub ticket: String,
}

/// Body of `POST /internal/wake/{call}`. Answered 204, also when repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    pub ticket: String,
}

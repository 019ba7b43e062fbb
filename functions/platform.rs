//! The outside world as a handler sees it, and nothing more. Each host implements [`Platform`] once.

use calls::id::CallId;
use calls::seats::{Full, Lease, Limits, Seats};
use calls::settings::Settings;
use calls::time::Time;
use calls::voice::StartOrder;

/// What the outside world did not do. The cause is for the log; no caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

/// An HTTP request that did not come back with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Certainly nothing reached the other side (name not found, connection refused, host not allowed).
    NotSent(String),
    /// It may have been received and acted on (timeout, connection lost after sending). When in doubt, this.
    Unclear(String),
}

/// What [`Platform::open_call`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The record is now stored under this id and had not been before.
    Created,
    /// A call of this id exists, or is being created by another request; nothing was changed.
    Exists,
}

/// All that is stored of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The record it was opened with.
    pub record: String,
    /// Its events: name and stored text, in no particular order.
    pub events: Vec<(String, String)>,
}

/// Whose documents and series these are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Organization(String),
    /// An account at Twilio, which organizations may share.
    Account(String),
    Tenant(String),
    Call(CallId),
}

/// A piece of a series, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// The number of the newest entry of the whole series; 0 if it is empty.
    pub last: u64,
    /// Numbers and texts. A number may be missing: its request ended before it stored anything.
    pub found: Vec<(u64, String)>,
}

/// The world outside the handlers: a clock, randomness, storage, the network, and whoever starts voice containers.
///
/// Every stored value is JSON text. A method that returns `Ok` has done its work durably; one that returns
/// [`Fault`] may or may not have, and can be called again with the same arguments.
#[expect(
    async_fn_in_trait,
    reason = "hosts are single-threaded and name their own futures; nothing needs Send"
)]
pub trait Platform {
    fn settings(&self) -> &Settings;
    fn now(&self) -> Time;
    fn random(&self) -> [u8; 16];
    /// Waits. For the one answer that cannot be given before Twilio has spoken.
    async fn pause(&self, ms: u64);
    /// Writes one line to the host's log. The line is JSON and holds no personal data.
    fn log(&self, line: &str);

    // Configuration: organizations, keys, agents. Rarely written; on Workers a read may be a minute old.

    async fn get(&self, key: &str) -> Result<Option<String>, Fault>;
    async fn put(&self, key: &str, value: &str) -> Result<(), Fault>;
    async fn delete(&self, key: &str) -> Result<(), Fault>;
    /// All keys that begin with `prefix`, sorted. May scan the whole store: only for the administrator.
    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault>;

    // One call's facts: read by call id from anywhere right after they were written.

    /// Stores `record` as the call's record unless the call exists. Of any number of simultaneous
    /// attempts for one id, exactly one gets [`Opened::Created`]. Also arms the first deadline.
    async fn open_call(&self, call: CallId, record: &str, wake_at: Time) -> Result<Opened, Fault>;
    /// Stores each event under its own name, unless one of that name is there already (the first stays),
    /// and returns all the call's facts; `None` if there is no such call.
    ///
    /// Names are a closed list, `calls::event::NAMES`, and the numbered series `line-0`, `line-1`, ….
    async fn add_events(
        &self,
        call: CallId,
        events: &[(String, String)],
    ) -> Result<Option<Facts>, Fault>;
    /// `None` if there is no such call.
    async fn read_call(&self, call: CallId) -> Result<Option<Facts>, Fault>;
    /// The record and at least those events that have these names, where reading all would cost more.
    async fn read_some(&self, call: CallId, _names: &[&str]) -> Result<Option<Facts>, Fault> {
        self.read_call(call).await
    }
    /// Has `wake` called for this call at `at` or soon after. An earlier wake-up already asked for stays.
    async fn wake_at(&self, call: CallId, at: Time) -> Result<(), Fault>;

    /// Gives out calls whose wake-up time has come, at most `most`, each with a ticket, where there are no alarms. Each comes
    /// again at `again`, unless its ticket is handed in before. On Workers nothing is ever due here.
    async fn due(&self, most: usize, again: Time) -> Result<Vec<(CallId, String)>, Fault>;
    /// Hands a ticket in: its call was woken, and has asked for what it needs next. One that is not known does nothing.
    async fn woken(&self, call: CallId, ticket: &str) -> Result<(), Fault>;

    // Documents and series: seen by every reader once they are written.

    /// The document of this name; names are up to 200 characters.
    async fn document(&self, owner: &Owner, name: &str) -> Result<Option<String>, Fault>;
    /// The documents of these names, in their order.
    async fn documents(
        &self,
        owner: &Owner,
        names: &[String],
    ) -> Result<Vec<Option<String>>, Fault>;
    /// Makes the document `to` (`None`: deletes it) if it is `was` (`None`: if there is none); false if it is not.
    /// After a fault it may have been done.
    async fn swap(
        &self,
        owner: &Owner,
        name: &str,
        was: Option<&str>,
        to: Option<&str>,
    ) -> Result<bool, Fault>;
    /// Makes those of these documents that are not there; what is there stays. Where somebody else makes one at this
    /// moment, either may stay: for documents of which one is as good as the other.
    async fn fill(&self, owner: &Owner, documents: &[(String, String)]) -> Result<(), Fault>;
    /// Adds entries at the end of a series, one after the other, and returns the number of the first, counted from 1. Of
    /// two appended at once, each gets a number of its own. After a fault the entries may be there, also twice.
    async fn append(&self, owner: &Owner, series: &str, texts: &[String]) -> Result<u64, Fault>;
    /// The newest entries with numbers up to `upto` (`None`: of all), at most `most` numbers' worth, newest first.
    async fn entries(
        &self,
        owner: &Owner,
        series: &str,
        upto: Option<u64>,
        most: usize,
    ) -> Result<Entries, Fault>;

    // Seats.

    /// Has [`Seats::take`] decide whether the call gets a seat of `organization`, or renews its own. Of calls that ask at
    /// once, no more are admitted than if they had asked one after the other.
    async fn take_seat(
        &self,
        organization: &str,
        lease: Lease,
        limits: &Limits,
    ) -> Result<Result<(), Full>, Fault>;
    /// Frees the call's seat; does nothing if it holds none.
    async fn free_seat(&self, organization: &str, call: CallId) -> Result<(), Fault>;
    /// The organization's seats as they stand; leases among them may have run out.
    async fn seats(&self, organization: &str) -> Result<Seats, Fault>;

    // The network.

    /// Sends one request and reads the answer, of which what is beyond 1 MiB is cut off. Follows no redirect, retries nothing.
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        timeout_ms: u64,
    ) -> Result<http::Response<Vec<u8>>, SendError>;

    // The voice container: one for each call.

    /// Has a container started for the call and the order brought to it. Returns once that is under way;
    /// what becomes of it arrives as events. Doing it twice starts nothing twice, but another in place of one that was lost;
    /// after [`Platform::stop_audio`] it starts nothing.
    async fn start_audio(&self, call: CallId, order: &StartOrder) -> Result<(), Fault>;
    /// Stops the call's container; does nothing if none runs.
    async fn stop_audio(&self, call: CallId) -> Result<(), Fault>;
}

impl From<Fault> for String {
    fn from(fault: Fault) -> String {
        fault.0
    }
}

//! A platform in memory that never waits, with a clock that stands until it is moved and a small Twilio beside it.

mod outside;
mod platform;
mod story;
mod twilio;

use crate::crowd;
use crate::driver::SIMULATOR;
use crate::kv::Kv;
use calls::analysis::Analyst;
use calls::id::CallId;
use calls::seats::{Lease, Seats};
use calls::secret::Secret;
use calls::settings::{EncryptionKey, Launcher, Settings};
use calls::time::Time;
use calls::voice::StartOrder;
use functions::{Answer, Facts, Fault, Owner, Platform as _};
use http::{Request, Response};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

/// How often each kind of operation was asked for: what a call costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    pub config_reads: usize,
    pub config_writes: usize,
    pub call_requests: usize,
    pub document_requests: usize,
    pub seat_requests: usize,
    pub audio_requests: usize,
    pub wakes_asked: usize,
    pub sent: usize,
    pub config_lists: usize,
    /// HTTP requests answered.
    pub requests: usize,
    /// Calls woken by their alarm.
    pub alarms: usize,
    /// Of all these, the ones a woken call asked of its own object, which is no request to anybody.
    pub own: usize,
    /// Rows written in Durable Objects: records, events, documents, entries, seats, alarms.
    pub rows_written: usize,
}

pub use outside::Outside;
pub use twilio::Twilio;

pub struct Memory {
    settings: Settings,
    now: Cell<Time>,
    drawn: Cell<u64>,
    /// As late as Workers KV, unless it is told not to be.
    pub config: Kv,
    pub calls: RefCell<BTreeMap<CallId, Facts>>,
    pub wakes: RefCell<BTreeMap<CallId, Time>>,
    /// Calls that were given out to be woken, and when they come again.
    pub given_out: RefCell<BTreeMap<CallId, Time>>,
    pub documents: RefCell<BTreeMap<(Owner, String), String>>,
    pub series: RefCell<BTreeMap<(Owner, String), Vec<String>>>,
    pub seats: RefCell<BTreeMap<String, Seats>>,
    pub started: RefCell<Vec<StartOrder>>,
    pub running: RefCell<BTreeSet<CallId>>,
    /// Calls whose voice was to stop: they get no other.
    stopped: RefCell<BTreeSet<CallId>>,
    pub logged: RefCell<Vec<String>>,
    pub twilio: Twilio,
    pub outside: Outside,
    pub operations: RefCell<Operations>,
    /// Nothing can be read of key-value, of calls and of what is due.
    pub unread: Cell<bool>,
    /// No voice can be started.
    pub voiceless: Cell<bool>,
    /// None can be stopped.
    pub unstoppable: Cell<bool>,
    /// The next swap is made and says that it was not: its answer was lost, and it was sent again.
    pub unheard: Cell<bool>,
    /// The call that is being woken.
    woken: Cell<Option<CallId>>,
    /// After so many more operations that change something, another waker comes to the call, and does all it finds to do.
    pub rival: Cell<Option<(usize, CallId)>>,
    /// Operations wait for their turn, so that many requests can be under way at once.
    crowded: Cell<bool>,
    /// The next so many operations that change something fail …
    pub failing: Cell<usize>,
    /// … after so many have worked.
    working: Cell<usize>,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new(false)
    }
}

impl Memory {
    pub const SIGNING_KEY: &'static str = "signing-key-of-the-tests-0123456789abcdef";
    pub const ANALYST: &'static str = "https://model.example.com/v1/chat/completions";
    pub const LAUNCHER_KEY: &'static str = "launcher-key-of-the-tests";
    pub const ADMIN_TOKEN: &'static str = "rd_admin_demo_6b1f0c8d2e4a5937";

    /// `launcher`: as on a host that cannot start containers.
    pub fn new(launcher: bool) -> Memory {
        let launcher = launcher.then(|| Launcher {
            url: "http://127.0.0.1:8791".to_owned(),
            public_url: "https://launcher.example".to_owned(),
            key: Secret::new(Memory::LAUNCHER_KEY),
        });
        Memory {
            settings: Settings {
                public_base_url: "https://gw.example".to_owned(),
                report_base_url: "https://gw.example".to_owned(),
                admin_token: Secret::new(Memory::ADMIN_TOKEN),
                signing_key: Secret::new(Memory::SIGNING_KEY),
                encryption_key: EncryptionKey([7; 32]),
                launcher,
                // As a host has it that runs beside the simulator.
                allowed_private_origins: vec![SIMULATOR.to_owned()],
                dial_timeout_ms: 10_000,
                analyst: Some(Analyst {
                    url: Memory::ANALYST.to_owned(),
                    key: Secret::new("analyst-key-of-the-tests"),
                    model: "model-of-the-tests".to_owned(),
                }),
            },
            now: Cell::new(Time(1_795_167_000_000)),
            drawn: Cell::new(0),
            config: Kv::late(),
            calls: RefCell::default(),
            wakes: RefCell::default(),
            given_out: RefCell::default(),
            documents: RefCell::default(),
            series: RefCell::default(),
            seats: RefCell::default(),
            started: RefCell::default(),
            running: RefCell::default(),
            stopped: RefCell::default(),
            logged: RefCell::default(),
            twilio: Twilio::default(),
            outside: Outside::default(),
            operations: RefCell::default(),
            unread: Cell::new(false),
            voiceless: Cell::new(false),
            unstoppable: Cell::new(false),
            unheard: Cell::new(false),
            woken: Cell::new(None),
            rival: Cell::new(None),
            crowded: Cell::new(false),
            failing: Cell::new(0),
            working: Cell::new(0),
        }
    }

    /// With the demo organization imported.
    pub fn demo() -> Memory {
        let memory = Memory::default();
        memory.import_demo();
        memory
    }

    pub fn import_demo(&self) {
        let request = Request::post("/v1/admin/import")
            .header("authorization", format!("Bearer {}", Memory::ADMIN_TOKEN))
            .body(include_bytes!("demo.ndjson").to_vec())
            .expect("a request");
        let functions::Answer::Reply(reply) = crate::finish(functions::answer(self, request))
        else {
            panic!("an import is no upgrade");
        };
        assert_eq!(
            reply.status(),
            200,
            "{}",
            String::from_utf8_lossy(reply.body())
        );
        self.config.catch_up();
        *self.operations.borrow_mut() = Operations::default();
    }

    /// Lets URLs of tenants name these origins, and no others.
    pub fn allow_origins(&mut self, origins: &[&str]) {
        let origins = origins.iter().map(|origin| (*origin).to_owned());
        self.settings.allowed_private_origins = origins.collect();
    }

    /// The same on a store that shows at once what was written.
    pub fn prompt() -> Memory {
        let memory = Memory {
            config: Kv::default(),
            ..Memory::default()
        };
        memory.import_demo();
        memory
    }

    pub fn pass_s(&self, seconds: u64) {
        self.now.set(self.now.get().plus_s(seconds));
    }

    /// Moves the clock on to this time; never back.
    pub fn pass_to(&self, at: Time) {
        self.now.set(self.now.get().max(at));
    }

    /// Wakes every call whose time has come, as alarms would. True if there was one.
    pub fn wake_due(&self) -> bool {
        let now = self.now.get();
        let due: Vec<CallId> = self
            .wakes
            .borrow()
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in &due {
            self.wakes.borrow_mut().remove(id);
            self.wake(*id);
        }
        !due.is_empty()
    }

    /// Wakes one call, and has it woken again when it asks for that, or when waking failed.
    fn wake(&self, id: CallId) {
        let woken: Pin<Box<dyn Future<Output = _>>> = Box::pin(functions::wake(self, id));
        self.count(|operations| operations.alarms += 1);
        let outer = self.woken.replace(Some(id));
        let again = crate::finish(woken).unwrap_or(Some(self.now.get().plus_s(15)));
        self.woken.set(outer);
        // One row while it runs, and one for what is next.
        self.wrote(2);
        if let Some(again) = again {
            let mut wakes = self.wakes.borrow_mut();
            let earliest = wakes.get(&id).map_or(again, |armed| again.min(*armed));
            wakes.insert(id, earliest);
        }
    }

    /// The host dies after `working` more operations that change something: all later ones fail …
    pub fn fail_after(&self, working: usize) {
        self.working.set(working);
        self.failing.set(usize::MAX);
    }

    /// One operation fails after so many have worked.
    pub fn fail_once_after(&self, working: usize) {
        self.working.set(working);
        self.failing.set(1);
    }

    /// … until it is back.
    pub fn heal(&self) {
        self.failing.set(0);
        self.working.set(0);
    }

    /// Answers all of these requests at once: before each of its operations any of them may go on, as `seed` has it.
    pub fn put_together(
        &self,
        seed: u64,
        requests: Vec<Request<Vec<u8>>>,
    ) -> Vec<Response<Vec<u8>>> {
        self.crowded.set(true);
        let answers = requests
            .into_iter()
            .map(|request| functions::answer(self, request));
        let answers = crowd::finish(seed, answers.collect());
        self.crowded.set(false);
        self.config.catch_up();
        let reply = |answer| match answer {
            Answer::Reply(reply) => reply,
            Answer::Media { .. } => panic!("nobody asked for a socket"),
        };
        answers.into_iter().map(reply).collect()
    }

    async fn turn(&self) {
        if self.crowded.get() {
            crowd::turn().await;
        }
    }

    fn may_be_read(&self) -> Result<(), Fault> {
        match self.unread.get() {
            true => Err(Fault("the store does not answer".to_owned())),
            false => Ok(()),
        }
    }

    /// Has calls of nobody take seats, until then.
    pub fn hold_seats(&self, organization: &str, count: u32, until: Time) {
        let mut all = self.seats.borrow_mut();
        let seats = all.entry(organization.to_owned()).or_default();
        seats.leases.extend((0..count).map(|number| Lease {
            call: format!("nobody's {number}"),
            agent: "nobody".to_owned(),
            inbound: false,
            until,
        }));
    }

    pub async fn seats_taken(&self, organization: &str) -> Result<u32, Fault> {
        Ok(self.seats(organization).await?.taken(self.now.get()))
    }

    fn may_fail(&self) -> Result<(), Fault> {
        if let Some((left, call)) = self.rival.take() {
            match left.checked_sub(1) {
                Some(left) => self.rival.set(Some((left, call))),
                None => self.wake(call),
            }
        }
        if let Some(left) = self.working.get().checked_sub(1) {
            self.working.set(left);
            return Ok(());
        }
        match self.failing.get() {
            0 => Ok(()),
            left => {
                self.failing.set(left - 1);
                Err(Fault("the store is down".to_owned()))
            }
        }
    }

    fn count(&self, count: impl FnOnce(&mut Operations)) {
        count(&mut self.operations.borrow_mut());
    }

    /// Counts what is asked of a call's object.
    fn count_call(&self, call: CallId, count: impl FnOnce(&mut Operations)) {
        self.count(count);
        let own = self.woken.get() == Some(call);
        self.count(|operations| operations.own += usize::from(own));
    }

    fn count_documents(&self, owner: &Owner) {
        let count = |operations: &mut Operations| operations.document_requests += 1;
        match owner {
            Owner::Call(call) => self.count_call(*call, count),
            _ => self.count(count),
        }
    }

    fn wrote(&self, rows: usize) {
        self.count(|operations| operations.rows_written += rows);
    }
}

//! A platform in memory that never waits, with a clock that stands until it is moved and a small Twilio beside it.

mod outside;
mod twilio;

use crate::kv::Kv;
use calls::analysis::Analyst;
use calls::id::CallId;
use calls::seats::{Full, Lease, Limits, Seats};
use calls::secret::Secret;
use calls::settings::{EncryptionKey, Launcher, Settings};
use calls::time::Time;
use calls::voice::StartOrder;
use functions::{Entries, Facts, Fault, Opened, Owner, Platform, SendError};
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
    pub logged: RefCell<Vec<String>>,
    pub twilio: Twilio,
    pub outside: Outside,
    pub operations: RefCell<Operations>,
    /// Nothing can be read of key-value, of calls and of what is due.
    pub unread: Cell<bool>,
    /// No voice can be started.
    pub voiceless: Cell<bool>,
    /// The call that is being woken.
    woken: Cell<Option<CallId>>,
    /// After so many more operations that change something, another waker comes to the call, and does all it finds to do.
    pub rival: Cell<Option<(usize, CallId)>>,
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
                allowed_private_origins: Vec::new(),
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
            logged: RefCell::default(),
            twilio: Twilio::default(),
            outside: Outside::default(),
            operations: RefCell::default(),
            unread: Cell::new(false),
            voiceless: Cell::new(false),
            woken: Cell::new(None),
            rival: Cell::new(None),
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

impl Platform for Memory {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn now(&self) -> Time {
        self.now.get()
    }

    fn random(&self) -> [u8; 16] {
        let drawn = self.drawn.get() + 1;
        self.drawn.set(drawn);
        let mut random = [0; 16];
        random[..8].copy_from_slice(&drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        random[8..].copy_from_slice(&drawn.to_be_bytes());
        random
    }

    fn log(&self, line: &str) {
        self.logged.borrow_mut().push(line.to_owned());
    }

    async fn get(&self, key: &str) -> Result<Option<String>, Fault> {
        self.count(|operations| operations.config_reads += 1);
        self.may_be_read()?;
        Ok(self.config.get(key, self.now.get()))
    }

    async fn put(&self, key: &str, value: &str) -> Result<(), Fault> {
        self.count(|operations| operations.config_writes += 1);
        self.may_fail()?;
        self.config.set(key, Some(value), self.now.get());
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.count(|operations| operations.config_writes += 1);
        self.may_fail()?;
        self.config.set(key, None, self.now.get());
        Ok(())
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        self.count(|operations| operations.config_lists += 1);
        Ok(self.config.keys(prefix, self.now.get()))
    }

    async fn open_call(&self, call: CallId, record: &str, wake_at: Time) -> Result<Opened, Fault> {
        self.count_call(call, |operations| operations.call_requests += 1);
        self.may_fail()?;
        if self.calls.borrow().contains_key(&call) {
            return Ok(Opened::Exists);
        }
        let facts = Facts {
            record: record.to_owned(),
            events: Vec::new(),
        };
        self.calls.borrow_mut().insert(call, facts);
        self.wakes.borrow_mut().insert(call, wake_at);
        self.wrote(2);
        Ok(Opened::Created)
    }

    async fn add_events(
        &self,
        call: CallId,
        events: &[(String, String)],
    ) -> Result<Option<Facts>, Fault> {
        self.count_call(call, |operations| operations.call_requests += 1);
        self.may_fail()?;
        let mut calls = self.calls.borrow_mut();
        let Some(facts) = calls.get_mut(&call) else {
            return Ok(None);
        };
        for (name, text) in events {
            if !facts.events.iter().any(|(known, _)| known == name) {
                self.wrote(1);
                facts.events.push((name.clone(), text.clone()));
            }
        }
        Ok(Some(facts.clone()))
    }

    async fn read_call(&self, call: CallId) -> Result<Option<Facts>, Fault> {
        self.count_call(call, |operations| operations.call_requests += 1);
        self.may_be_read()?;
        Ok(self.calls.borrow().get(&call).cloned())
    }

    async fn wake_at(&self, call: CallId, at: Time) -> Result<(), Fault> {
        self.count_call(call, |operations| operations.wakes_asked += 1);
        self.may_fail()?;
        let mut wakes = self.wakes.borrow_mut();
        let earliest = wakes.get(&call).map_or(at, |armed| at.min(*armed));
        if wakes.insert(call, earliest) != Some(earliest) {
            self.wrote(1);
        }
        Ok(())
    }

    async fn due(&self, most: usize, again: Time) -> Result<Vec<(CallId, String)>, Fault> {
        self.may_be_read()?;
        let now = self.now.get();
        let (mut wakes, mut given_out) = (self.wakes.borrow_mut(), self.given_out.borrow_mut());
        let all = wakes.iter().chain(given_out.iter());
        let due: BTreeSet<CallId> = all
            .filter(|(_, at)| **at <= now)
            .map(|(id, _)| *id)
            .take(most)
            .collect();
        for call in &due {
            wakes.remove(call);
            given_out.insert(*call, again);
        }
        let ticket = |call| (call, again.0.to_string());
        Ok(due.into_iter().map(ticket).collect())
    }

    async fn woken(&self, call: CallId, ticket: &str) -> Result<(), Fault> {
        self.may_fail()?;
        let mut given_out = self.given_out.borrow_mut();
        if given_out
            .get(&call)
            .is_some_and(|at| at.0.to_string() == ticket)
        {
            given_out.remove(&call);
        }
        Ok(())
    }

    async fn document(&self, owner: &Owner, name: &str) -> Result<Option<String>, Fault> {
        self.count_documents(owner);
        let key = (owner.clone(), name.to_owned());
        Ok(self.documents.borrow().get(&key).cloned())
    }

    async fn swap(
        &self,
        owner: &Owner,
        name: &str,
        was: Option<&str>,
        to: Option<&str>,
    ) -> Result<bool, Fault> {
        self.count_documents(owner);
        self.may_fail()?;
        let key = (owner.clone(), name.to_owned());
        let mut documents = self.documents.borrow_mut();
        if documents.get(&key).map(String::as_str) != was {
            return Ok(false);
        }
        self.wrote(1);
        match to {
            Some(to) => documents.insert(key, to.to_owned()),
            None => documents.remove(&key),
        };
        Ok(true)
    }

    async fn documents(
        &self,
        owner: &Owner,
        names: &[String],
    ) -> Result<Vec<Option<String>>, Fault> {
        self.count_documents(owner);
        let documents = self.documents.borrow();
        let read = |name: &String| documents.get(&(owner.clone(), name.clone())).cloned();
        Ok(names.iter().map(read).collect())
    }

    async fn fill(&self, owner: &Owner, documents: &[(String, String)]) -> Result<(), Fault> {
        self.count_documents(owner);
        self.may_fail()?;
        for (name, text) in documents {
            let key = (owner.clone(), name.clone());
            let mut stored = self.documents.borrow_mut();
            stored.entry(key).or_insert_with(|| {
                self.wrote(1);
                text.clone()
            });
        }
        Ok(())
    }

    async fn append(&self, owner: &Owner, series: &str, texts: &[String]) -> Result<u64, Fault> {
        self.count_documents(owner);
        self.may_fail()?;
        let mut all = self.series.borrow_mut();
        let entries = all.entry((owner.clone(), series.to_owned())).or_default();
        let first = entries.len() as u64 + 1;
        entries.extend_from_slice(texts);
        self.wrote(texts.len());
        Ok(first)
    }

    async fn entries(
        &self,
        owner: &Owner,
        series: &str,
        upto: Option<u64>,
        most: usize,
    ) -> Result<Entries, Fault> {
        self.count_documents(owner);
        let all = self.series.borrow();
        let Some(entries) = all.get(&(owner.clone(), series.to_owned())) else {
            return Ok(Entries::default());
        };
        let last = entries.len() as u64;
        let found = (1..=upto.map_or(last, |upto| upto.min(last)))
            .rev()
            .take(most)
            .map(|number| (number, entries[number as usize - 1].clone()))
            .collect();
        Ok(Entries { last, found })
    }

    async fn take_seat(
        &self,
        organization: &str,
        lease: Lease,
        limits: &Limits,
    ) -> Result<Result<(), Full>, Fault> {
        self.count(|operations| operations.seat_requests += 1);
        self.may_fail()?;
        let mut all = self.seats.borrow_mut();
        self.wrote(1);
        let seats = all.entry(organization.to_owned()).or_default();
        Ok(seats.take(lease, limits, self.now.get()))
    }

    async fn free_seat(&self, organization: &str, call: CallId) -> Result<(), Fault> {
        self.count(|operations| operations.seat_requests += 1);
        self.may_fail()?;
        if let Some(seats) = self.seats.borrow_mut().get_mut(organization) {
            seats.free(&call.to_string());
            self.wrote(1);
        }
        Ok(())
    }

    async fn seats(&self, organization: &str) -> Result<Seats, Fault> {
        let all = self.seats.borrow();
        Ok(all.get(organization).cloned().unwrap_or_default())
    }

    async fn send(
        &self,
        request: Request<Vec<u8>>,
        _timeout_ms: u64,
    ) -> Result<Response<Vec<u8>>, SendError> {
        self.count(|operations| operations.sent += 1);
        match request.uri().path().starts_with("/2010-04-01/") {
            true => self.twilio.answer(&request, self.now.get()),
            false => {
                if self.outside.wakes.get() {
                    self.calls
                        .borrow()
                        .keys()
                        .copied()
                        .collect::<Vec<_>>()
                        .into_iter()
                        .for_each(|id| self.wake(id));
                }
                if self.outside.hangs(&request) {
                    std::future::pending().await
                }
                self.outside.answer(request)
            }
        }
    }

    async fn start_audio(&self, call: CallId, order: &StartOrder) -> Result<(), Fault> {
        self.count_call(call, |operations| operations.audio_requests += 1);
        self.may_fail()?;
        if self.voiceless.get() {
            return Err(Fault("nothing starts".to_owned()));
        }
        self.started.borrow_mut().push(order.clone());
        self.running.borrow_mut().insert(call);
        Ok(())
    }

    async fn pause(&self, ms: u64) {
        self.now.set(Time(self.now.get().0 + ms));
    }

    async fn stop_audio(&self, call: CallId) -> Result<(), Fault> {
        self.count_call(call, |operations| operations.audio_requests += 1);
        self.may_fail()?;
        self.running.borrow_mut().remove(&call);
        Ok(())
    }
}

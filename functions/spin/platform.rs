//! `impl Platform` for Spin.

use crate::store::{KeyValue, Store};
use crate::{call, documents, due, exchange, seats, settings};
use calls::id::CallId;
use calls::seats::{Full, Lease, Limits, Seats};
use calls::settings::Settings;
use calls::time::Time;
use calls::voice::StartOrder;
use functions::{Entries, Facts, Fault, Opened, Owner, Platform, SendError, launcher};
use std::rc::Rc;

/// The world as one request sees it.
pub(crate) struct Spin {
    store: KeyValue,
    settings: Rc<Settings>,
}

impl Spin {
    pub(crate) async fn open() -> Result<Spin, Fault> {
        Ok(Spin {
            settings: settings::read().await?,
            store: KeyValue::default(),
        })
    }
}

/// Configuration lies apart from the rest, under its own prefix.
const CONFIGURATION: &str = "c/";

impl Platform for Spin {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn now(&self) -> Time {
        self.store.now()
    }

    fn random(&self) -> [u8; 16] {
        self.store.random()
    }

    fn log(&self, line: &str) {
        println!("{line}");
    }

    async fn get(&self, key: &str) -> Result<Option<String>, Fault> {
        self.store.get(&format!("{CONFIGURATION}{key}")).await
    }

    async fn put(&self, key: &str, value: &str) -> Result<(), Fault> {
        let pair = (format!("{CONFIGURATION}{key}"), value.to_owned());
        self.store.put(vec![pair]).await
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.store
            .delete(vec![format!("{CONFIGURATION}{key}")])
            .await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let all = self.store.keys().await?;
        let mut keys: Vec<String> = all
            .iter()
            .filter_map(|key| key.strip_prefix(CONFIGURATION))
            .filter(|key| key.starts_with(prefix))
            .map(str::to_owned)
            .collect();
        keys.sort();
        Ok(keys)
    }

    async fn open_call(&self, call: CallId, record: &str, wake_at: Time) -> Result<Opened, Fault> {
        call::open(&self.store, call, record, wake_at).await
    }

    async fn add_events(
        &self,
        call: CallId,
        events: &[(String, String)],
    ) -> Result<Option<Facts>, Fault> {
        call::add(&self.store, call, events).await
    }

    async fn read_call(&self, call: CallId) -> Result<Option<Facts>, Fault> {
        call::read(&self.store, call).await
    }

    async fn read_some(&self, call: CallId, names: &[&str]) -> Result<Option<Facts>, Fault> {
        call::read_some(&self.store, call, names).await
    }

    async fn wake_at(&self, call: CallId, at: Time) -> Result<(), Fault> {
        due::wake_at(&self.store, call, at).await
    }

    async fn due(&self, most: usize, again: Time) -> Result<Vec<(CallId, String)>, Fault> {
        due::give_out(&self.store, most, again).await
    }

    async fn woken(&self, call: CallId, ticket: &str) -> Result<(), Fault> {
        due::take_back(&self.store, call, ticket).await
    }

    async fn document(&self, owner: &Owner, name: &str) -> Result<Option<String>, Fault> {
        documents::read(&self.store, owner, name).await
    }

    async fn swap(
        &self,
        owner: &Owner,
        name: &str,
        was: Option<&str>,
        to: Option<&str>,
    ) -> Result<bool, Fault> {
        documents::swap(&self.store, owner, name, was, to).await
    }

    async fn documents(
        &self,
        owner: &Owner,
        names: &[String],
    ) -> Result<Vec<Option<String>>, Fault> {
        documents::read_all(&self.store, owner, names).await
    }

    async fn fill(&self, owner: &Owner, documents: &[(String, String)]) -> Result<(), Fault> {
        documents::fill(&self.store, owner, documents).await
    }

    async fn append(&self, owner: &Owner, series: &str, texts: &[String]) -> Result<u64, Fault> {
        documents::append(&self.store, owner, series, texts).await
    }

    async fn entries(
        &self,
        owner: &Owner,
        series: &str,
        upto: Option<u64>,
        most: usize,
    ) -> Result<Entries, Fault> {
        documents::entries(&self.store, owner, series, upto, most).await
    }

    async fn take_seat(
        &self,
        organization: &str,
        lease: Lease,
        limits: &Limits,
    ) -> Result<Result<(), Full>, Fault> {
        seats::take(&self.store, organization, lease, limits).await
    }

    async fn free_seat(&self, organization: &str, call: CallId) -> Result<(), Fault> {
        seats::free(&self.store, organization, call).await
    }

    async fn seats(&self, organization: &str) -> Result<Seats, Fault> {
        seats::all(&self.store, organization).await
    }

    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        timeout_ms: u64,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        exchange::send(request, timeout_ms).await
    }

    async fn start_audio(&self, _call: CallId, order: &StartOrder) -> Result<(), Fault> {
        launcher::start_session(self, order).await
    }

    async fn pause(&self, ms: u64) {
        self.store.wait(ms).await;
    }

    async fn stop_audio(&self, call: CallId) -> Result<(), Fault> {
        launcher::stop_session(self, call).await
    }
}

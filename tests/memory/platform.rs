//! What the platform in memory does when it is asked: every operation at once and whole, as the hosts promise it.

use super::Memory;
use calls::id::CallId;
use calls::seats::{Full, Lease, Limits, Seats};
use calls::settings::Settings;
use calls::time::Time;
use calls::voice::StartOrder;
use functions::{Entries, Facts, Fault, Opened, Owner, Platform, SendError};
use http::{Request, Response};
use std::collections::BTreeSet;

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
        self.turn().await;
        self.count(|operations| operations.config_reads += 1);
        self.may_be_read()?;
        Ok(self.config.get(key, self.now.get()))
    }

    async fn put(&self, key: &str, value: &str) -> Result<(), Fault> {
        self.turn().await;
        self.count(|operations| operations.config_writes += 1);
        self.may_fail()?;
        self.config.set(key, Some(value), self.now.get());
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.turn().await;
        self.count(|operations| operations.config_writes += 1);
        self.may_fail()?;
        self.config.set(key, None, self.now.get());
        Ok(())
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        self.turn().await;
        self.count(|operations| operations.config_lists += 1);
        Ok(self.config.keys(prefix, self.now.get()))
    }

    async fn open_call(&self, call: CallId, record: &str, wake_at: Time) -> Result<Opened, Fault> {
        self.turn().await;
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
        self.turn().await;
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
        self.turn().await;
        self.count_call(call, |operations| operations.call_requests += 1);
        self.may_be_read()?;
        Ok(self.calls.borrow().get(&call).cloned())
    }

    async fn wake_at(&self, call: CallId, at: Time) -> Result<(), Fault> {
        self.turn().await;
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
        self.turn().await;
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
        self.turn().await;
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
        self.turn().await;
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
        self.turn().await;
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
        Ok(!self.unheard.take())
    }

    async fn documents(
        &self,
        owner: &Owner,
        names: &[String],
    ) -> Result<Vec<Option<String>>, Fault> {
        self.turn().await;
        self.count_documents(owner);
        let documents = self.documents.borrow();
        let read = |name: &String| documents.get(&(owner.clone(), name.clone())).cloned();
        Ok(names.iter().map(read).collect())
    }

    async fn fill(&self, owner: &Owner, documents: &[(String, String)]) -> Result<(), Fault> {
        self.turn().await;
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
        self.turn().await;
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
        self.turn().await;
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
        self.turn().await;
        self.count(|operations| operations.seat_requests += 1);
        self.may_fail()?;
        let mut all = self.seats.borrow_mut();
        self.wrote(1);
        let seats = all.entry(organization.to_owned()).or_default();
        Ok(seats.take(lease, limits, self.now.get()))
    }

    async fn free_seat(&self, organization: &str, call: CallId) -> Result<(), Fault> {
        self.turn().await;
        self.count(|operations| operations.seat_requests += 1);
        self.may_fail()?;
        if let Some(seats) = self.seats.borrow_mut().get_mut(organization) {
            seats.free(&call.to_string());
            self.wrote(1);
        }
        Ok(())
    }

    async fn seats(&self, organization: &str) -> Result<Seats, Fault> {
        self.turn().await;
        let all = self.seats.borrow();
        Ok(all.get(organization).cloned().unwrap_or_default())
    }

    async fn send(
        &self,
        request: Request<Vec<u8>>,
        _timeout_ms: u64,
    ) -> Result<Response<Vec<u8>>, SendError> {
        self.turn().await;
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
                if let Some(happens) = self.outside.meanwhile.take() {
                    happens(self);
                }
                if self.outside.hangs(&request) {
                    std::future::pending().await
                }
                self.outside.answer(request)
            }
        }
    }

    async fn start_audio(&self, call: CallId, order: &StartOrder) -> Result<(), Fault> {
        self.turn().await;
        self.count_call(call, |operations| operations.audio_requests += 1);
        self.may_fail()?;
        if self.voiceless.get() {
            return Err(Fault("nothing starts".to_owned()));
        }
        if !self.stopped.borrow().contains(&call) && self.running.borrow_mut().insert(call) {
            self.started.borrow_mut().push(order.clone());
        }
        Ok(())
    }

    async fn pause(&self, ms: u64) {
        self.now.set(Time(self.now.get().0 + ms));
        self.turn().await;
    }

    async fn stop_audio(&self, call: CallId) -> Result<(), Fault> {
        self.turn().await;
        self.count_call(call, |operations| operations.audio_requests += 1);
        self.may_fail()?;
        if self.unstoppable.get() {
            return Err(Fault("nobody stops it".to_owned()));
        }
        self.running.borrow_mut().remove(&call);
        self.stopped.borrow_mut().insert(call);
        Ok(())
    }
}

//! The Durable Object of one organization: which calls hold its seats, and until when; its documents and series. An
//! account at Twilio and a tenant have one as well, for their documents.

use crate::call_object::now;
use crate::documents::Documents;
use crate::exchange::fault;
use crate::sql::{self, Row, integer};
use calls::seats::{Lease, Limits, Seats};
use functions::Fault;
use std::cell::RefCell;
use worker::{
    DurableObject, Env, Request, Response, ResponseBuilder, SqlStorage, SqlStorageValue, State,
    durable_object,
};

/// A row for each seat held, its lease as JSON, and one, named `begun`, for the times calls began at.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS seat (call TEXT PRIMARY KEY, until INTEGER NOT NULL, lease TEXT NOT NULL) WITHOUT ROWID";
const BEGUN: &str = "begun";
const PUT: &str = "INSERT OR REPLACE INTO seat (call, until, lease) VALUES (?1, ?2, ?3)";

#[durable_object(fetch)]
pub struct OrganizationObject {
    sql: SqlStorage,
    documents: Documents,
    /// What the table holds, once read. All changes come through here.
    seats: RefCell<Option<Seats>>,
}

impl DurableObject for OrganizationObject {
    fn new(state: State, _env: Env) -> OrganizationObject {
        OrganizationObject {
            documents: Documents::new(&state),
            sql: state.storage().sql(),
            seats: RefCell::new(None),
        }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let body = request.text().await?;
        let answer = match request.path().as_str() {
            "/documents" => self.documents.answer(&body),
            _ => self.answer(request.inner().method().as_str(), &body),
        };
        match answer {
            Ok(response) => Ok(response),
            Err(fault) => {
                // What is in memory may be ahead of the table.
                self.seats.replace(None);
                Response::error(fault.0, 500)
            }
        }
    }
}

impl OrganizationObject {
    /// `POST` of lease and limits takes (201, or 409 with the limit that was met), `DELETE` of a call's id frees, `GET`
    /// shows all.
    fn answer(&self, method: &str, body: &str) -> Result<Response, Fault> {
        let mut seats = self.seats.borrow_mut();
        let seats = match &mut *seats {
            Some(seats) => seats,
            none => none.insert(self.load()?),
        };
        match method {
            "POST" => {
                let (lease, limits) = serde_json::from_str(body).map_err(fault)?;
                self.take(seats, lease, &limits)
            }
            "DELETE" => {
                if seats.free(body) {
                    self.run("DELETE FROM seat WHERE call = ?1", vec![body.into()])?;
                }
                Ok(ResponseBuilder::new().with_status(204).empty())
            }
            _ => Response::ok(serde_json::to_string(seats).map_err(fault)?).map_err(fault),
        }
    }

    fn take(&self, seats: &mut Seats, lease: Lease, limits: &Limits) -> Result<Response, Fault> {
        let now = now();
        if seats.forget_past(now) {
            let past = vec![integer(now.0), BEGUN.into()];
            self.run("DELETE FROM seat WHERE until <= ?1 AND call <> ?2", past)?;
        }
        let call = lease.call.clone();
        if let Err(full) = seats.take(lease, limits, now) {
            let full = serde_json::to_string(&full).map_err(fault)?;
            let refused = ResponseBuilder::new().with_status(409);
            return Ok(refused.fixed(full.into_bytes()));
        }
        if let Some(held) = seats.leases.iter().find(|held| held.call == call) {
            let lease = serde_json::to_string(held).map_err(fault)?;
            let row = vec![call.into(), integer(held.until.0), lease.into()];
            self.run(PUT, row)?;
        }
        if limits.per_second.is_some() {
            let begun = serde_json::to_string(&seats.begun).map_err(fault)?;
            self.run(PUT, vec![BEGUN.into(), integer(0), begun.into()])?;
        }
        Ok(ResponseBuilder::new().with_status(201).empty())
    }

    fn load(&self) -> Result<Seats, Fault> {
        self.run(TABLE, vec![])?;
        let mut seats = Seats::default();
        for row in self.run("SELECT call, lease FROM seat", vec![])? {
            let [SqlStorageValue::String(call), SqlStorageValue::String(text)] = row.as_slice()
            else {
                return Err(Fault("storage: a seat is no text".to_owned()));
            };
            match call.as_str() {
                BEGUN => seats.begun = serde_json::from_str(text).map_err(fault)?,
                _ => seats
                    .leases
                    .push(serde_json::from_str(text).map_err(fault)?),
            }
        }
        Ok(seats)
    }

    fn run(&self, statement: &str, values: Row) -> Result<Vec<Row>, Fault> {
        sql::rows(&self.sql, statement, values)
    }
}

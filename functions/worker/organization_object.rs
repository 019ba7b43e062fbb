//! The Durable Object of one organization: which calls hold its seats, and until when; its documents and series.

use crate::call_object::now;
use crate::documents::Documents;
use crate::exchange::fault;
use functions::Fault;
use std::cell::RefCell;
use std::collections::BTreeMap;
use worker::{
    DurableObject, Env, Request, Response, ResponseBuilder, SqlStorage, SqlStorageValue, State,
    durable_object,
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS lease (call TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID";

#[durable_object(fetch)]
pub struct OrganizationObject {
    sql: SqlStorage,
    documents: Documents,
    /// The table's rows, once read: calls and when their leases end. All changes come through here.
    leases: RefCell<Option<BTreeMap<String, i64>>>,
}

impl DurableObject for OrganizationObject {
    fn new(state: State, _env: Env) -> OrganizationObject {
        OrganizationObject {
            documents: Documents::new(&state),
            sql: state.storage().sql(),
            leases: RefCell::new(None),
        }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let answer = match request.path().as_str() {
            "/documents" => self.documents.answer(&request.text().await?),
            _ => self.answer(&request),
        };
        match answer {
            Ok(response) => Ok(response),
            Err(fault) => {
                // What is in memory may be ahead of the table.
                self.leases.replace(None);
                Response::error(fault.0, 500)
            }
        }
    }
}

impl OrganizationObject {
    /// `PUT /{call}/{until}/{seats}` takes (201 or 409), `DELETE /{call}` frees, `GET /` counts.
    fn answer(&self, request: &Request) -> Result<Response, Fault> {
        let mut leases = self.leases.borrow_mut();
        let leases = match &mut *leases {
            Some(leases) => leases,
            none => none.insert(self.load()?),
        };
        let path = request.path();
        let mut segments = path.trim_start_matches('/').split('/');
        let call = segments.next().unwrap_or("");
        let mut number = || segments.next().and_then(|text| text.parse::<i64>().ok());
        let status = match request.inner().method().as_str() {
            "PUT" => match (number(), number()) {
                (Some(until), Some(seats)) if self.take(leases, call, until, seats)? => 201,
                (Some(_), Some(_)) => 409,
                _ => 400,
            },
            "DELETE" => {
                if leases.remove(call).is_some() {
                    self.run("DELETE FROM lease WHERE call = ?1", vec![call.into()])?;
                }
                204
            }
            _ => {
                self.expire(leases)?;
                return Response::ok(leases.len().to_string()).map_err(fault);
            }
        };
        Ok(ResponseBuilder::new().with_status(status).empty())
    }

    fn take(
        &self,
        leases: &mut BTreeMap<String, i64>,
        call: &str,
        until: i64,
        seats: i64,
    ) -> Result<bool, Fault> {
        self.expire(leases)?;
        let others = leases.len() - usize::from(leases.contains_key(call));
        if i64::try_from(others).map_or(true, |others| others >= seats) {
            return Ok(false);
        }
        leases.insert(call.to_owned(), until);
        self.run(
            "INSERT OR REPLACE INTO lease (call, until) VALUES (?1, ?2)",
            vec![call.into(), until.into()],
        )?;
        Ok(true)
    }

    fn expire(&self, leases: &mut BTreeMap<String, i64>) -> Result<(), Fault> {
        let now = i64::try_from(now().0).unwrap_or(i64::MAX);
        let before = leases.len();
        leases.retain(|_, until| *until > now);
        if leases.len() < before {
            self.run("DELETE FROM lease WHERE until <= ?1", vec![now.into()])?;
        }
        Ok(())
    }

    fn load(&self) -> Result<BTreeMap<String, i64>, Fault> {
        self.run(TABLE, vec![])?;
        let rows = self.run("SELECT call, until FROM lease", vec![])?;
        Ok(rows
            .into_iter()
            .filter_map(|row| match <[SqlStorageValue; 2]>::try_from(row) {
                Ok(
                    [
                        SqlStorageValue::String(call),
                        SqlStorageValue::Integer(until),
                    ],
                ) => Some((call, until)),
                _ => None,
            })
            .collect())
    }

    /// Runs one statement to its end; all its rows.
    fn run(
        &self,
        statement: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Vec<Vec<SqlStorageValue>>, Fault> {
        let rows = self.sql.exec(statement, values).map_err(fault)?.raw();
        rows.collect::<worker::Result<_>>().map_err(fault)
    }
}

//! The Durable Object of one organization's seats: which calls hold one, and until when.

use crate::call_object::now;
use crate::exchange::fault;
use functions::Fault;
use worker::{
    DurableObject, Env, Request, Response, ResponseBuilder, SqlStorage, SqlStorageValue, State,
    durable_object,
};

#[durable_object(fetch)]
pub struct SeatsObject {
    sql: SqlStorage,
}

impl DurableObject for SeatsObject {
    fn new(state: State, _env: Env) -> SeatsObject {
        SeatsObject {
            sql: state.storage().sql(),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        match self.answer(&request) {
            Ok(response) => Ok(response),
            Err(fault) => Response::error(fault.0, 500),
        }
    }
}

impl SeatsObject {
    /// `PUT /{call}/{until}/{seats}` takes (201 or 409), `DELETE /{call}` frees, `GET /` counts.
    fn answer(&self, request: &Request) -> Result<Response, Fault> {
        self.run(
            "CREATE TABLE IF NOT EXISTS lease (call TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID",
            vec![],
        )?;
        let path = request.path();
        let mut segments = path.trim_start_matches('/').split('/');
        let call = segments.next().unwrap_or("");
        let mut number = || segments.next().and_then(|text| text.parse::<i64>().ok());
        let status = match request.inner().method().as_str() {
            "PUT" => match (number(), number()) {
                (Some(until), Some(seats)) if self.take(call, until, seats)? => 201,
                (Some(_), Some(_)) => 409,
                _ => 400,
            },
            "DELETE" => {
                self.run("DELETE FROM lease WHERE call = ?1", vec![call.into()])?;
                204
            }
            _ => {
                let held = "SELECT count(*) FROM lease WHERE until > ?1";
                let count = self.run(held, vec![at_present()])?.unwrap_or(0);
                return Response::ok(count.to_string()).map_err(fault);
            }
        };
        Ok(ResponseBuilder::new().with_status(status).empty())
    }

    fn take(&self, call: &str, until: i64, seats: i64) -> Result<bool, Fault> {
        self.run("DELETE FROM lease WHERE until <= ?1", vec![at_present()])?;
        let taken = self.run(
            "INSERT INTO lease (call, until) SELECT ?1, ?2 \
             WHERE (SELECT count(*) FROM lease WHERE call <> ?1) < ?3 \
             ON CONFLICT (call) DO UPDATE SET until = excluded.until RETURNING 1",
            vec![call.into(), until.into(), seats.into()],
        )?;
        Ok(taken.is_some())
    }

    /// Runs one statement; the number in the first row.
    fn run(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<Option<i64>, Fault> {
        let mut rows = self.sql.exec(statement, values).map_err(fault)?.raw();
        let first = rows.next();
        // Reading to the end finishes the statement.
        while rows.next().is_some() {}
        match first.transpose().map_err(fault)?.as_deref() {
            Some([SqlStorageValue::Integer(number)]) => Ok(Some(*number)),
            _ => Ok(None),
        }
    }
}

fn at_present() -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(now().0).unwrap_or(i64::MAX))
}

//! One call's facts in its object's SQLite storage: the record, the events, and how far its audio is.

use crate::sql;
use functions::Fault;
use std::cell::Cell;
use worker::{SqlStorage, State};

/// One table: (`record`, call id, text), (`event`, name, text), (`audio`, ``, an [`Audio`] as text).
const TABLE: &str = "CREATE TABLE IF NOT EXISTS fact (kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, \
                     PRIMARY KEY (kind, name)) WITHOUT ROWID";

/// How far a call's audio is. A later one is never followed by an earlier one, but for another order after a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audio {
    /// This start order (JSON text) is to be brought to a container.
    Ordered(String),
    /// The media socket was connected: the container's end is now the call's.
    Connected,
    /// The container was lost: another may be ordered.
    Lost,
    /// Over: nothing may be started any more.
    Stopped,
}

pub(crate) struct Store {
    sql: SqlStorage,
    /// Whether the table is known to exist. Objects of calls that were never opened stay without storage.
    made: Cell<bool>,
}

impl Store {
    pub(crate) fn new(state: &State) -> Store {
        Store {
            sql: state.storage().sql(),
            made: Cell::new(false),
        }
    }

    /// Stores the record; false if there is one.
    pub(crate) fn open(&self, call: &str, record: &str) -> Result<bool, Fault> {
        self.make()?;
        let stored = self.text(
            "INSERT INTO fact (kind, name, value) SELECT 'record', ?1, ?2 \
             WHERE NOT EXISTS (SELECT 1 FROM fact WHERE kind = 'record') RETURNING name",
            &[call, record],
        )?;
        Ok(stored.is_some())
    }

    /// The id of the call stored here.
    pub(crate) fn call(&self) -> Result<Option<String>, Fault> {
        if !self.made()? {
            return Ok(None);
        }
        self.text("SELECT name FROM fact WHERE kind = 'record'", &[])
    }

    /// Adds events, given as JSON `[[name, text], …]`, to a call that was opened; an event that is there stays.
    pub(crate) fn add(&self, events: &str) -> Result<(), Fault> {
        if self.made()? {
            self.text(
                "INSERT OR IGNORE INTO fact (kind, name, value) \
                 SELECT 'event', value ->> 0, value ->> 1 FROM json_each(?1) \
                 WHERE EXISTS (SELECT 1 FROM fact WHERE kind = 'record')",
                &[events],
            )?;
        }
        Ok(())
    }

    /// All facts as JSON `{"record": …, "events": [[name, text], …]}`; `None` if the call was never opened.
    pub(crate) fn all(&self) -> Result<Option<String>, Fault> {
        if !self.made()? {
            return Ok(None);
        }
        self.text(
            "SELECT json_object('record', value, 'events', \
             (SELECT json_group_array(json_array(name, value)) FROM fact WHERE kind = 'event')) \
             FROM fact WHERE kind = 'record'",
            &[],
        )
    }

    pub(crate) fn audio(&self) -> Result<Option<Audio>, Fault> {
        if !self.made()? {
            return Ok(None);
        }
        let stored = self.text("SELECT value FROM fact WHERE kind = 'audio'", &[])?;
        Ok(stored.map(|text| match text.as_str() {
            "connected" => Audio::Connected,
            "lost" => Audio::Lost,
            "stopped" => Audio::Stopped,
            _ => Audio::Ordered(text),
        }))
    }

    /// Goes on to `next`, unless that is where the audio is or has been.
    pub(crate) fn set_audio(&self, next: &Audio) -> Result<(), Fault> {
        self.make()?;
        let (unless, text) = match next {
            Audio::Ordered(order) => ("value <> 'lost'", order.as_str()),
            Audio::Connected => ("value IN ('connected', 'lost', 'stopped')", "connected"),
            Audio::Lost => ("value IN ('lost', 'stopped')", "lost"),
            Audio::Stopped => ("value = 'stopped'", "stopped"),
        };
        self.text(
            &format!(
                "INSERT INTO fact (kind, name, value) VALUES ('audio', '', ?1) \
                 ON CONFLICT DO UPDATE SET value = excluded.value WHERE NOT ({unless})"
            ),
            &[text],
        )?;
        Ok(())
    }

    fn make(&self) -> Result<(), Fault> {
        if !self.made.get() {
            self.text(TABLE, &[])?;
            self.made.set(true);
        }
        Ok(())
    }

    fn made(&self) -> Result<bool, Fault> {
        if !self.made.get() {
            let table = self.text("SELECT name FROM sqlite_master WHERE name = 'fact'", &[])?;
            self.made.set(table.is_some());
        }
        Ok(self.made.get())
    }

    /// Runs one statement; the first column of the first row.
    fn text(&self, statement: &str, values: &[&str]) -> Result<Option<String>, Fault> {
        let values = values.iter().map(|value| (*value).into()).collect();
        let rows = sql::rows(&self.sql, statement, values)?;
        rows.into_iter().next().map(sql::text).transpose()
    }
}

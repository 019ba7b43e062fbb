//! Documents and series in a Durable Object's SQLite storage: of a call in its own object, of an organization, account or
//! tenant in its.

use crate::exchange::fault;
use crate::sql::{self, Row, integer, number, text};
use functions::{Entries, Fault};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use worker::{Response, SqlStorage, State};

const DOCUMENTS: &str = "CREATE TABLE IF NOT EXISTS document (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";
const SERIES: &str = "CREATE TABLE IF NOT EXISTS series (name TEXT NOT NULL, number INTEGER NOT NULL, \
                      value TEXT NOT NULL, PRIMARY KEY (name, number)) WITHOUT ROWID";

/// What an object is asked for, as the JSON body of `POST /documents`.
#[derive(Serialize, Deserialize)]
pub(crate) enum Ask {
    Read {
        names: Vec<String>,
    },
    Swap {
        name: String,
        was: Option<String>,
        to: Option<String>,
    },
    Fill {
        documents: Vec<(String, String)>,
    },
    Append {
        series: String,
        texts: Vec<String>,
    },
    Entries {
        series: String,
        upto: Option<u64>,
        most: usize,
    },
}

/// What it answers.
#[derive(Serialize, Deserialize)]
pub(crate) enum Told {
    Documents(Vec<Option<String>>),
    Swapped(bool),
    Filled,
    /// The number of the first.
    Appended(u64),
    Entries(u64, Vec<(u64, String)>),
}

pub(crate) struct Documents {
    sql: SqlStorage,
    /// Whether the tables are known to exist.
    made: Cell<bool>,
}

impl Documents {
    pub(crate) fn new(state: &State) -> Documents {
        Documents {
            sql: state.storage().sql(),
            made: Cell::new(false),
        }
    }

    /// Answers a request to the object.
    pub(crate) fn answer(&self, ask: &str) -> Result<Response, Fault> {
        let ask = serde_json::from_str(ask).map_err(fault)?;
        let told = serde_json::to_string(&self.tell(ask)?).map_err(fault)?;
        Response::ok(told).map_err(fault)
    }

    /// All in one turn of the object, so that nothing comes between look and change.
    pub(crate) fn tell(&self, ask: Ask) -> Result<Told, Fault> {
        if !self.made.get() {
            self.rows(DOCUMENTS, vec![])?;
            self.rows(SERIES, vec![])?;
            self.made.set(true);
        }
        match ask {
            Ask::Read { names } => {
                let documents = names.iter().map(|name| self.read(name));
                Ok(Told::Documents(documents.collect::<Result<_, _>>()?))
            }
            Ask::Swap { name, was, to } => Ok(Told::Swapped(self.swap(&name, was, to)?)),
            Ask::Fill { documents } => {
                self.fill(&documents)?;
                Ok(Told::Filled)
            }
            Ask::Append { series, texts } => Ok(Told::Appended(self.append(&series, &texts)?)),
            Ask::Entries { series, upto, most } => {
                let Entries { last, found } = self.entries(&series, upto, most)?;
                Ok(Told::Entries(last, found))
            }
        }
    }

    fn read(&self, name: &str) -> Result<Option<String>, Fault> {
        let rows = self.rows(
            "SELECT value FROM document WHERE name = ?1",
            vec![name.into()],
        )?;
        rows.into_iter().next().map(text).transpose()
    }

    fn swap(&self, name: &str, was: Option<String>, to: Option<String>) -> Result<bool, Fault> {
        if self.read(name)? != was {
            return Ok(false);
        }
        match to {
            Some(to) => self.rows(
                "INSERT OR REPLACE INTO document (name, value) VALUES (?1, ?2)",
                vec![name.into(), to.as_str().into()],
            )?,
            None => self.rows("DELETE FROM document WHERE name = ?1", vec![name.into()])?,
        };
        Ok(true)
    }

    fn fill(&self, documents: &[(String, String)]) -> Result<(), Fault> {
        let documents = serde_json::to_string(documents).map_err(fault)?;
        self.rows(
            "INSERT OR IGNORE INTO document (name, value) SELECT value ->> 0, value ->> 1 FROM json_each(?1)",
            vec![documents.into()],
        )?;
        Ok(())
    }

    fn append(&self, series: &str, texts: &[String]) -> Result<u64, Fault> {
        let first = self.last(series)? + 1;
        let texts = serde_json::to_string(texts).map_err(fault)?;
        self.rows(
            "INSERT INTO series (name, number, value) SELECT ?1, ?2 + key, value FROM json_each(?3)",
            vec![series.into(), integer(first), texts.into()],
        )?;
        Ok(first)
    }

    fn entries(&self, series: &str, upto: Option<u64>, most: usize) -> Result<Entries, Fault> {
        let last = self.last(series)?;
        let upto = upto.map_or(last, |upto| upto.min(last));
        let rows = self.rows(
            "SELECT number, value FROM series WHERE name = ?1 AND number <= ?2 ORDER BY number DESC LIMIT ?3",
            vec![series.into(), integer(upto), integer(most as u64)],
        )?;
        let mut found = Vec::with_capacity(rows.len());
        for mut row in rows {
            let value = row.split_off(1);
            found.push((number(row)?, text(value)?));
        }
        Ok(Entries { last, found })
    }

    fn last(&self, series: &str) -> Result<u64, Fault> {
        let rows = self.rows(
            "SELECT number FROM series WHERE name = ?1 ORDER BY number DESC LIMIT 1",
            vec![series.into()],
        )?;
        rows.into_iter().next().map_or(Ok(0), number)
    }

    fn rows(&self, statement: &str, values: Row) -> Result<Vec<Row>, Fault> {
        sql::rows(&self.sql, statement, values)
    }
}

//! A Durable Object's SQLite storage: running one statement, and reading what it gives.

use crate::exchange::fault;
use functions::Fault;
use worker::{SqlStorage, SqlStorageValue};

pub(crate) type Row = Vec<SqlStorageValue>;

/// Runs one statement to its end; all its rows.
pub(crate) fn rows(
    sql: &SqlStorage,
    statement: &str,
    values: Vec<SqlStorageValue>,
) -> Result<Vec<Row>, Fault> {
    let rows = sql.exec(statement, values).map_err(fault)?.raw();
    rows.collect::<worker::Result<_>>().map_err(fault)
}

pub(crate) fn integer(number: u64) -> SqlStorageValue {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// The first column of a row, which is a text.
pub(crate) fn text(row: Row) -> Result<String, Fault> {
    match row.into_iter().next() {
        Some(SqlStorageValue::String(text)) => Ok(text),
        other => Err(Fault(format!("storage: not a text: {other:?}"))),
    }
}

/// The first column of a row, which is a number.
pub(crate) fn number(row: Row) -> Result<u64, Fault> {
    let number = match row.into_iter().next() {
        Some(SqlStorageValue::Integer(number)) => u64::try_from(number).ok(),
        Some(SqlStorageValue::Float(number)) => Some(number as u64),
        _ => None,
    };
    number.ok_or_else(|| Fault("storage: not a number".to_owned()))
}

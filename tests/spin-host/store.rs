//! The key-value store: one SQLite file, the table and the guarantees of Spin's own default store.
//! Each operation is atomic, and nothing more: between a get and a set anything may happen.

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) struct Database(Mutex<Connection>);

impl Database {
    pub(crate) fn open(file: &Path) -> Result<Database> {
        Database::new(Connection::open(file)?)
    }

    #[cfg(test)]
    fn in_memory() -> Database {
        Database::new(Connection::open_in_memory().unwrap()).unwrap()
    }

    fn new(connection: Connection) -> Result<Database> {
        connection.execute(
            "CREATE TABLE IF NOT EXISTS spin_key_value (
                store TEXT NOT NULL,
                key   TEXT NOT NULL,
                value BLOB NOT NULL,
                PRIMARY KEY (store, key)
            )",
            [],
        )?;
        Ok(Database(Mutex::new(connection)))
    }

    pub(crate) fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>> {
        get(&self.lock(), store, key)
    }

    pub(crate) fn set(&self, store: &str, key: &str, value: &[u8]) -> Result<()> {
        set(&self.lock(), store, key, value)
    }

    pub(crate) fn delete(&self, store: &str, key: &str) -> Result<()> {
        delete(&self.lock(), store, key)
    }

    pub(crate) fn keys(&self, store: &str) -> Result<Vec<String>> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached("SELECT key FROM spin_key_value WHERE store = ?1")?;
        let keys = query
            .query_map([store], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(keys)
    }

    /// Those of the keys that exist, as Spin answers it.
    pub(crate) fn get_many(
        &self,
        store: &str,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>> {
        let connection = self.lock();
        let mut found = Vec::new();
        for key in keys {
            if let Some(value) = get(&connection, store, &key)? {
                found.push((key, Some(value)));
            }
        }
        Ok(found)
    }

    /// Sets all or none.
    pub(crate) fn set_many(&self, store: &str, pairs: &[(String, Vec<u8>)]) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for (key, value) in pairs {
            set(&transaction, store, key, value)?;
        }
        Ok(transaction.commit()?)
    }

    /// Deletes all or none.
    pub(crate) fn delete_many(&self, store: &str, keys: &[String]) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for key in keys {
            delete(&transaction, store, key)?;
        }
        Ok(transaction.commit()?)
    }

    /// Adds `by` to the counter and returns what it is then; `None` if the value is none, which is 8 bytes.
    pub(crate) fn increment(&self, store: &str, key: &str, by: i64) -> Result<Option<i64>> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let was = match get(&transaction, store, key)? {
            None => 0,
            Some(value) => match <[u8; 8]>::try_from(value) {
                Ok(bytes) => i64::from_le_bytes(bytes),
                Err(_) => return Ok(None),
            },
        };
        let now = was.wrapping_add(by);
        set(&transaction, store, key, &now.to_le_bytes())?;
        transaction.commit()?;
        Ok(Some(now))
    }

    /// Sets `key` if its value still is `expected`; true if so. Without a value to expect it sets in any case,
    /// as Spin does.
    pub(crate) fn swap(
        &self,
        store: &str,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
    ) -> Result<bool> {
        let connection = self.lock();
        let Some(expected) = expected else {
            set(&connection, store, key, value)?;
            return Ok(true);
        };
        let changed = connection
            .prepare_cached(
                "UPDATE spin_key_value SET value = ?4 WHERE store = ?1 AND key = ?2 AND value = ?3",
            )?
            .execute(params![store, key, expected, value])?;
        Ok(changed == 1)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn get(connection: &Connection, store: &str, key: &str) -> Result<Option<Vec<u8>>> {
    let value = connection
        .prepare_cached("SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2")?
        .query_row(params![store, key], |row| row.get(0))
        .optional()?;
    Ok(value)
}

fn set(connection: &Connection, store: &str, key: &str, value: &[u8]) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (store, key) DO UPDATE SET value = ?3",
        )?
        .execute(params![store, key, value])?;
    Ok(())
}

fn delete(connection: &Connection, store: &str, key: &str) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2")?
        .execute(params![store, key])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_apart() {
        let database = Database::in_memory();
        database.set("a", "k", b"1").unwrap();
        assert_eq!(database.get("a", "k").unwrap().unwrap(), b"1");
        assert_eq!(database.get("b", "k").unwrap(), None);
        assert_eq!(database.keys("a").unwrap(), ["k"]);
        database.delete("a", "k").unwrap();
        assert_eq!(database.get("a", "k").unwrap(), None);
    }

    #[test]
    fn counts_and_refuses_to_count_text() {
        let database = Database::in_memory();
        assert_eq!(database.increment("a", "n", 1).unwrap(), Some(1));
        assert_eq!(database.increment("a", "n", 2).unwrap(), Some(3));
        database.set("a", "n", b"text").unwrap();
        assert_eq!(database.increment("a", "n", 1).unwrap(), None);
    }

    #[test]
    fn swaps_only_what_is_expected() {
        let database = Database::in_memory();
        assert!(database.swap("a", "k", None, b"1").unwrap());
        assert!(!database.swap("a", "k", Some(b"0"), b"2").unwrap());
        assert!(database.swap("a", "k", Some(b"1"), b"2").unwrap());
        assert_eq!(database.get("a", "k").unwrap().unwrap(), b"2");
    }
}

//! `wasi:keyvalue` as Spin answers it: the store again, its atomic operations, and its batches.

use crate::bindings::{Opened, Swap, atomics, batch, store};
use crate::instance::Guest;
use tokio::task::block_in_place;
use wasmtime::component::Resource;
use wasmtime::{Result, bail};

impl store::Host for Guest {
    async fn open(&mut self, label: String) -> Result<Result<Resource<Opened>, store::Error>> {
        if !self.component.stores.contains(&label) {
            return Ok(Err(store::Error::AccessDenied));
        }
        Ok(Ok(self.table.push(Opened(label))?))
    }
}

impl store::HostBucket for Guest {
    async fn get(
        &mut self,
        bucket: Resource<Opened>,
        key: String,
    ) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        let store = &self.table.get(&bucket)?.0;
        Ok(block_in_place(|| self.database.get(store, &key)).map_err(other))
    }

    async fn set(
        &mut self,
        bucket: Resource<Opened>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), store::Error>> {
        let store = &self.table.get(&bucket)?.0;
        Ok(block_in_place(|| self.database.set(store, &key, &value)).map_err(other))
    }

    async fn delete(
        &mut self,
        bucket: Resource<Opened>,
        key: String,
    ) -> Result<Result<(), store::Error>> {
        let store = &self.table.get(&bucket)?.0;
        Ok(block_in_place(|| self.database.delete(store, &key)).map_err(other))
    }

    async fn exists(
        &mut self,
        bucket: Resource<Opened>,
        key: String,
    ) -> Result<Result<bool, store::Error>> {
        let store = &self.table.get(&bucket)?.0;
        let value = block_in_place(|| self.database.get(store, &key));
        Ok(value.map(|value| value.is_some()).map_err(other))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Opened>,
        cursor: Option<String>,
    ) -> Result<Result<store::KeyResponse, store::Error>> {
        if cursor.is_some() {
            let why = "list_keys: cursor not supported".to_owned();
            return Ok(Err(store::Error::Other(why)));
        }
        let store = &self.table.get(&bucket)?.0;
        let keys = block_in_place(|| self.database.keys(store));
        let page = |keys| store::KeyResponse { keys, cursor: None };
        Ok(keys.map(page).map_err(other))
    }

    async fn drop(&mut self, bucket: Resource<Opened>) -> Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::HostCas for Guest {
    async fn new(
        &mut self,
        bucket: Resource<Opened>,
        key: String,
    ) -> Result<Result<Resource<Swap>, store::Error>> {
        let store = self.table.get(&bucket)?.0.clone();
        let seen = None;
        Ok(Ok(self.table.push(Swap { store, key, seen })?))
    }

    async fn current(
        &mut self,
        swap: Resource<Swap>,
    ) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        let swap = self.table.get_mut(&swap)?;
        let value = block_in_place(|| self.database.get(&swap.store, &swap.key));
        if let Ok(value) = &value {
            swap.seen.clone_from(value);
        }
        Ok(value.map_err(other))
    }

    async fn drop(&mut self, swap: Resource<Swap>) -> Result<()> {
        self.table.delete(swap)?;
        Ok(())
    }
}

impl atomics::Host for Guest {
    async fn increment(
        &mut self,
        bucket: Resource<Opened>,
        key: String,
        by: i64,
    ) -> Result<Result<i64, store::Error>> {
        let store = &self.table.get(&bucket)?.0;
        match block_in_place(|| self.database.increment(store, &key, by)) {
            Ok(Some(now)) => Ok(Ok(now)),
            // Spin's store panics here, and takes the process's store with it: nothing may rely on getting by.
            Ok(None) => bail!("increment: {key} is not a counter"),
            Err(error) => Ok(Err(other(error))),
        }
    }

    async fn swap(
        &mut self,
        swap: Resource<Swap>,
        value: Vec<u8>,
    ) -> Result<Result<(), atomics::CasError>> {
        let swap = self.table.delete(swap)?;
        let swapped = block_in_place(|| {
            self.database
                .swap(&swap.store, &swap.key, swap.seen.as_deref(), &value)
        });
        match swapped {
            Ok(true) => Ok(Ok(())),
            Ok(false) => {
                let seen = self.database.get(&swap.store, &swap.key);
                let seen = match seen {
                    Ok(seen) => seen,
                    Err(error) => return Ok(Err(atomics::CasError::StoreError(other(error)))),
                };
                let again = self.table.push(Swap { seen, ..swap })?;
                Ok(Err(atomics::CasError::CasFailed(again)))
            }
            Err(error) => Ok(Err(atomics::CasError::StoreError(other(error)))),
        }
    }
}

impl batch::Host for Guest {
    async fn get_many(
        &mut self,
        bucket: Resource<Opened>,
        keys: Vec<String>,
    ) -> Result<Result<Vec<(String, Option<Vec<u8>>)>, store::Error>> {
        let store = &self.table.get(&bucket)?.0;
        Ok(block_in_place(|| self.database.get_many(store, keys)).map_err(other))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Opened>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<Result<(), store::Error>> {
        let store = &self.table.get(&bucket)?.0;
        Ok(block_in_place(|| self.database.set_many(store, &pairs)).map_err(other))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Opened>,
        keys: Vec<String>,
    ) -> Result<Result<(), store::Error>> {
        let store = &self.table.get(&bucket)?.0;
        Ok(block_in_place(|| self.database.delete_many(store, &keys)).map_err(other))
    }
}

fn other(error: anyhow::Error) -> store::Error {
    store::Error::Other(format!("{error:#}"))
}

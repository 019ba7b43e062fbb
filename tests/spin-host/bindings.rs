//! Spin's own interfaces, generated from `wit/` and answered here: key-value, its atomics, and variables.

use crate::instance::Guest;
use crate::store::Database;
use tokio::task::block_in_place;
use wasmtime::component::{Accessor, FutureReader, HasData, Linker, Resource, StreamReader};
use wasmtime::{Result, bail};

wasmtime::component::bindgen!({
    path: "wit",
    world: "platform",
    imports: { default: async | trappable },
    with: {
        "spin:key-value/key-value.store": super::bindings::Opened,
        "wasi:keyvalue/store.bucket": super::bindings::Opened,
        "wasi:keyvalue/atomics.cas": super::bindings::Swap,
    },
});

use spin::key_value::key_value;
use spin::variables::variables;
use wasi::keyvalue::{atomics, batch, store};

/// A store that a component has opened, by its label.
#[expect(unreachable_pub, reason = "the generated code exports it")]
pub struct Opened(String);

/// A compare-and-swap under way: the value it read, if it read one, is the one it replaces.
#[expect(unreachable_pub, reason = "the generated code exports it")]
pub struct Swap {
    store: String,
    key: String,
    seen: Option<Vec<u8>>,
}

/// Says that all these interfaces work on the whole [`Guest`].
struct Interfaces;

impl HasData for Interfaces {
    type Data<'a> = &'a mut Guest;
}

pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    key_value::add_to_linker::<Guest, Interfaces>(linker, |guest| guest)?;
    variables::add_to_linker::<Guest, Interfaces>(linker, |guest| guest)?;
    store::add_to_linker::<Guest, Interfaces>(linker, |guest| guest)?;
    atomics::add_to_linker::<Guest, Interfaces>(linker, |guest| guest)?;
    batch::add_to_linker::<Guest, Interfaces>(linker, |guest| guest)
}

impl variables::Host for Guest {}

impl<T: Send> variables::HostWithStore<T> for Interfaces {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> Result<Result<String, variables::Error>> {
        let known = accessor.with(|mut access| {
            let guest: &mut Guest = access.get();
            guest.component.variables.get(&name).cloned()
        });
        let why = || variables::Error::Undefined(format!("no variable for {name:?}"));
        Ok(known.ok_or_else(why))
    }
}

impl key_value::Host for Guest {}

impl key_value::HostStore for Guest {
    async fn drop(&mut self, opened: Resource<Opened>) -> Result<()> {
        self.table.delete(opened)?;
        Ok(())
    }
}

impl<T: Send> key_value::HostStoreWithStore<T> for Interfaces {
    async fn open(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> Result<Result<Resource<Opened>, key_value::Error>> {
        accessor.with(|mut access| {
            let guest: &mut Guest = access.get();
            if !guest.component.stores.contains(&label) {
                return Ok(Err(key_value::Error::AccessDenied));
            }
            Ok(Ok(guest.table.push(Opened(label))?))
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        opened: Resource<Opened>,
        key: String,
    ) -> Result<Result<Option<Vec<u8>>, key_value::Error>> {
        on_store(accessor, &opened, |database, store| {
            database.get(store, &key)
        })
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        opened: Resource<Opened>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), key_value::Error>> {
        on_store(accessor, &opened, |database, store| {
            database.set(store, &key, &value)
        })
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        opened: Resource<Opened>,
        key: String,
    ) -> Result<Result<(), key_value::Error>> {
        on_store(accessor, &opened, |database, store| {
            database.delete(store, &key)
        })
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        opened: Resource<Opened>,
        key: String,
    ) -> Result<Result<bool, key_value::Error>> {
        on_store(accessor, &opened, |database, store| {
            Ok(database.get(store, &key)?.is_some())
        })
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        opened: Resource<Opened>,
    ) -> Result<(
        StreamReader<String>,
        FutureReader<Result<(), key_value::Error>>,
    )> {
        let read = on_store(accessor, &opened, |database, store| database.keys(store))?;
        let (keys, end) = match read {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        accessor.with(|mut access| {
            let end = async move { wasmtime::error::Ok(end) };
            Ok((
                StreamReader::new(&mut access, keys)?,
                FutureReader::new(&mut access, end)?,
            ))
        })
    }
}

/// Does one thing with an open store.
fn on_store<T: Send, V>(
    accessor: &Accessor<T, Interfaces>,
    opened: &Resource<Opened>,
    work: impl FnOnce(&Database, &str) -> anyhow::Result<V>,
) -> Result<Result<V, key_value::Error>> {
    accessor.with(|mut access| {
        let guest: &mut Guest = access.get();
        let store = &guest.table.get(opened)?.0;
        let done = block_in_place(|| work(&guest.database, store));
        Ok(done.map_err(|error| key_value::Error::Other(format!("{error:#}"))))
    })
}

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
            Ok(now) => Ok(Ok(now)),
            // Spin's store panics here, and takes the process's store with it: nothing may rely on getting by.
            Err(error) => bail!("increment: {error:#}"),
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

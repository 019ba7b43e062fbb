//! Spin's own interfaces, generated from `wit/` and answered here: key-value, its atomics, and variables.

use crate::instance::Guest;
use crate::store::Database;
use tokio::task::block_in_place;
use wasmtime::Result;
use wasmtime::component::{Accessor, FutureReader, HasData, Linker, Resource, StreamReader};

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
pub(crate) use wasi::keyvalue::{atomics, batch, store};

/// A store that a component has opened, by its label.
#[expect(unreachable_pub, reason = "the generated code exports it")]
pub struct Opened(pub(crate) String);

/// A compare-and-swap under way: the value it read, if it read one, is the one it replaces.
#[expect(unreachable_pub, reason = "the generated code exports it")]
pub struct Swap {
    pub(crate) store: String,
    pub(crate) key: String,
    pub(crate) seen: Option<Vec<u8>>,
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

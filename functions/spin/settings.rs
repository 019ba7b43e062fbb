//! The deployment's settings, from Spin's variables.

use calls::settings::{NAMES, Settings};
use functions::Fault;
use spin_sdk::variables::{self, Error};
use spin_sdk::wasip3::random::random::get_random_bytes;
use std::cell::OnceCell;
use std::rc::Rc;

thread_local! {
    // An instance serves 128 requests at most and none after a second's idleness: a changed variable is soon seen.
    static READ: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

/// Reads the settings, once for each instance. Complaints are for the operator's log.
pub(crate) async fn read() -> Result<Rc<Settings>, Fault> {
    if let Some(settings) = READ.with(|read| read.get().cloned()) {
        return Ok(settings);
    }
    let mut values = Vec::new();
    for name in NAMES {
        match variables::get(name.to_ascii_lowercase()).await {
            Ok(value) => values.push((name, value)),
            Err(Error::Undefined(_)) => values.extend(not_granted(name).map(|value| (name, value))),
            Err(error) => return Err(Fault(format!("variable {name}: {error}"))),
        }
    }
    let look_up = |name: &str| {
        let found = values.iter().find(|(known, _)| *known == name)?;
        Some(found.1.clone())
    };
    let settings = Settings::parse(look_up).map_err(|wrong| Fault(wrong.join("; ")))?;
    let settings = Rc::new(settings);
    // Two requests may have come here together; they read the same.
    READ.with(|read| _ = read.set(settings.clone()));
    Ok(settings)
}

/// A component without a secret it has no use for gets one that nobody knows: it opens nothing.
fn not_granted(name: &str) -> Option<String> {
    matches!(name, "ADMIN_TOKEN" | "ENCRYPTION_KEY")
        .then(|| calls::secret::hex(&get_random_bytes(32)))
}

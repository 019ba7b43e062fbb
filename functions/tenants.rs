//! Which organizations are a tenant's: noted by imports, for configuration is stored by organization and is not searched.

use crate::{Fault, Owner, Platform, documents, join, store};
use calls::config::{Organization, VERSION};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The tenant's document that names its organizations, and those that were its once.
const ORGANIZATIONS: &str = "organizations";
/// How many organizations are read at once.
const AT_ONCE: usize = 25;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Organizations {
    v: u32,
    ids: BTreeSet<String>,
}

/// Notes that these organizations are their tenants'.
pub(crate) async fn note(
    host: &impl Platform,
    organizations: &[Organization],
) -> Result<(), Fault> {
    let mut by_tenant: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    for organization in organizations {
        if let Some(tenant) = &organization.tenant {
            by_tenant.entry(tenant).or_default().push(&organization.id);
        }
    }
    for (tenant, ids) in by_tenant {
        let owner = Owner::Tenant(tenant.clone());
        documents::change(host, &owner, ORGANIZATIONS, |known: &mut Organizations| {
            known.v = VERSION;
            known.ids.extend(ids.iter().map(|id| (*id).clone()));
        })
        .await?;
    }
    Ok(())
}

/// The tenant's organizations as they are configured now.
pub(crate) async fn organizations(
    host: &impl Platform,
    tenant: &str,
) -> Result<Vec<Organization>, Fault> {
    let owner = Owner::Tenant(tenant.to_owned());
    let known: Organizations = documents::read(host, &owner, ORGANIZATIONS).await?;
    let ids: Vec<String> = known.ids.into_iter().collect();
    let mut found = Vec::new();
    for some in ids.chunks(AT_ONCE) {
        let read = join::all(some.iter().map(|id| store::organization(host, id)));
        for organization in read.await {
            found.extend(organization?.filter(|it| it.tenant.as_deref() == Some(tenant)));
        }
    }
    Ok(found)
}

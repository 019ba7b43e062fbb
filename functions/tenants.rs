//! Which organizations are a tenant's: noted by imports, for configuration is stored by organization and is not searched.

use crate::documents::{self, Ids};
use crate::{Fault, Owner, Platform, join, store};
use calls::config::Organization;

/// The tenant's document that names its organizations, and those that were its once.
const ORGANIZATIONS: &str = "organizations";
/// How many organizations are read at once.
const AT_ONCE: usize = 25;

/// Notes that these organizations are their tenants'.
pub(crate) async fn note(
    host: &impl Platform,
    organizations: &[Organization],
) -> Result<(), Fault> {
    let ids = organizations.iter().filter_map(|organization| {
        let tenant = organization.tenant.clone()?;
        Some((Owner::Tenant(tenant), organization.id.clone()))
    });
    documents::note_ids(host, ORGANIZATIONS, ids).await
}

/// The tenant's organizations as they are configured now.
pub(crate) async fn organizations(
    host: &impl Platform,
    tenant: &str,
) -> Result<Vec<Organization>, Fault> {
    let owner = Owner::Tenant(tenant.to_owned());
    let known: Ids = documents::read(host, &owner, ORGANIZATIONS).await?;
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

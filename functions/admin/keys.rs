//! The lines of an import that are keys.

use super::check::{Plan, need_slug, no_organization};
use super::lines::KeyLine;
use calls::config::{Key, Opens, VERSION};
use calls::secret::sha256_hex;

pub(super) fn key(line: KeyLine, plan: &Plan) -> Result<(String, Key), String> {
    let sha256 = hash(&line)?;
    let opens = match (line.organization, line.tenant) {
        (Some(id), None) if plan.organizations.contains_key(&id) => Opens::Organization(id),
        (Some(id), None) => return Err(no_organization(&id)),
        (None, Some(id)) => {
            need_slug("tenant", &id)?;
            Opens::Tenant(id)
        }
        _ => return Err("either organization or tenant is required".to_owned()),
    };
    if plan
        .keys
        .get(&sha256)
        .is_some_and(|stored| *stored != opens)
    {
        return Err("this key is another organization's".to_owned());
    }
    let key = Key {
        v: VERSION,
        opens,
        name: line.name.unwrap_or_default(),
        category: line.category,
        permissions: line.permissions,
        active: line.active,
        expires_at: line.expires_at,
    };
    Ok((sha256, key))
}

pub(super) fn hash(line: &KeyLine) -> Result<String, String> {
    match (&line.key, &line.sha256) {
        (Some(key), None) if key.len() >= 16 => Ok(sha256_hex(key.as_bytes())),
        (Some(_), None) => Err("key must have 16 characters or more".to_owned()),
        (None, Some(hash))
            if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            Ok(hash.to_ascii_lowercase())
        }
        _ => Err("either key or sha256 (64 hex digits) is required".to_owned()),
    }
}

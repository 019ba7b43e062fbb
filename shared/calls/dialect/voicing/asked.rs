//! What voicing's reads may ask for: one call, a page, several ids.

use serde_json::{Map, Value};
use validation::{Fields, Issue, Rule, query};

/// The largest page and the longest list of ids, and the page of a request that names no limit.
const LARGEST: u64 = 100;
const USUAL: u64 = 20;

/// A page of all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: u64,
    pub limit: u64,
}

impl Page {
    /// Reads `page` and `limit` of a query. A limit above the largest means the largest.
    pub fn read(query: &str) -> Result<Page, Vec<Issue>> {
        let query = query::read(query)?;
        let mut fields = Fields::lenient(&query);
        let number = fields.integer_within("page", 1, i64::MAX);
        let limit = fields.integer_within("limit", 1, i64::MAX);
        fields.done()?;
        Ok(Page {
            number: number.map_or(1, i64::unsigned_abs),
            limit: limit.map_or(USUAL, i64::unsigned_abs).min(LARGEST),
        })
    }
}

/// The call a query names. One that is left empty is an error: a page of all calls is not what was meant.
pub fn call_id(query: &str) -> Result<Option<String>, Vec<Issue>> {
    const FIELD: &str = "call_id";
    let mut named = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == FIELD);
    let wrong = |why: &str| Err(vec![Issue::new(FIELD, Rule::Other(why.to_owned()))]);
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        (Some((_, id)), None) if id.trim().is_empty() => wrong("must not be empty"),
        (Some((_, id)), None) => Ok(Some(id.into_owned())),
        (Some(_), Some(_)) => wrong("is given twice"),
    }
}

/// The ids of a request for several calls: texts, or the integers one of the APIs has for calls.
pub fn call_ids(body: &Map<String, Value>) -> Result<Vec<Value>, Vec<Issue>> {
    const FIELD: &str = "call_ids";
    let mut fields = Fields::of(body);
    if fields.get(FIELD).is_none() {
        fields.refuse(FIELD, Rule::Missing);
    }
    let ids = fields.list(FIELD).cloned().unwrap_or_default();
    if ids.len() as u64 > LARGEST {
        let rule = Rule::Other(format!("must have at most {LARGEST} ids"));
        fields.refuse(FIELD, rule);
    } else if !ids.iter().all(|id| id.is_string() || id.is_u64()) {
        let rule = Rule::Other("must be a list of strings".to_owned());
        fields.refuse(FIELD, rule);
    }
    fields.done()?;
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pages() {
        let page = |query: &str| Page::read(query).map(|page| (page.number, page.limit));
        assert_eq!(page(""), Ok((1, 20)));
        assert_eq!(page("page=3&limit=7&unknown=1"), Ok((3, 7)));
        assert_eq!(page("page=&limit=1000"), Ok((1, 100)));
        for query in [
            "page=0",
            "limit=0",
            "page=-1",
            "page=x",
            "limit=1.5",
            "page=1&page=2",
        ] {
            assert!(page(query).is_err(), "{query}");
        }
    }

    #[test]
    fn tells_one_call_from_a_page() {
        assert_eq!(call_id("page=1"), Ok(None));
        assert_eq!(call_id("page=1&call_id=x"), Ok(Some("x".to_owned())));
        assert!(call_id("call_id=").is_err());
        assert!(call_id("call_id=a&call_id=b").is_err());
    }
}

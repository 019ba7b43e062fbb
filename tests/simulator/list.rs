//! `GET Calls.json`: the calls of an account, filtered and in pages, newest first.

use crate::clock::parse_date;
use crate::faults::HttpFault;
use crate::order::value;
use crate::record::{Fields, Record};
use crate::refusal::Refusal;
use crate::rest::{authorized, form, stumble};
use crate::server::{App, Cut};
use crate::shown::shown;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde_json::{Value, json};

/// `GET Accounts/{account}/Calls.json?To=&From=&Status=&StartTime>=&PageSize=`, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    Extension(cut): Extension<Cut>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    authorized(&app, &account, &headers)?;
    let query = query.unwrap_or_default();
    let fields = form(query.as_bytes());
    let to = value(&fields, "To").unwrap_or_default();
    let fault = HttpFault::take(&mut app.faults().of(to).read);
    stumble(fault, &cut).await?;
    let number = |name: &str| value(&fields, name).and_then(|text| text.parse::<usize>().ok());
    let size = number("PageSize").unwrap_or(50).clamp(1, 1000);
    let page = number("Page").unwrap_or(0);
    // A page starts behind the call its token names, so that calls made meanwhile move nothing.
    let behind = value(&fields, "PageToken").and_then(|token| token.strip_prefix("PA"));
    let mut matching: Vec<Value> = Vec::new();
    let mut started = behind.is_none();
    let mut more = false;
    for call in app.calls().iter().rev() {
        let record = call.record();
        if record.account_sid != account || !matches(&record, &fields) {
            continue;
        }
        if !started {
            started = behind.is_some_and(|sid| record.sid.ends_with(sid));
            continue;
        }
        if matching.len() == size {
            more = true;
            break;
        }
        matching.push(shown(&record));
    }
    let base = format!("/2010-04-01/Accounts/{account}/Calls.json");
    let filters: Fields = fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "Page" | "PageToken" | "PageSize"))
        .cloned()
        .collect();
    let address = |page: usize, token: Option<String>| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&filters);
        form.append_pair("PageSize", &size.to_string());
        form.append_pair("Page", &page.to_string());
        if let Some(token) = token {
            form.append_pair("PageToken", &token);
        }
        format!("{base}?{}", form.finish())
    };
    let token = matching
        .last()
        .and_then(|last| last["sid"].as_str())
        .map(|sid| format!("PA{}", &sid[2..]));
    Ok(Json(json!({
        "end": page * size + matching.len().saturating_sub(1),
        "first_page_uri": address(0, None),
        "next_page_uri": more.then(|| address(page + 1, token)),
        "page": page,
        "page_size": size,
        "previous_page_uri": null,
        "start": page * size,
        "uri": if query.is_empty() { base.clone() } else { format!("{base}?{query}") },
        "calls": matching,
    })))
}

fn matches(record: &Record, fields: &Fields) -> bool {
    const DAY: u64 = 86_400_000;
    fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .all(|(name, value)| {
            let created = record.created_at_ms;
            let date = || parse_date(value);
            match name.as_str() {
                "To" => record.to == *value,
                "From" => record.from == *value,
                "Status" => record.status == value,
                // `StartTime>=…` in a URL is a parameter named `StartTime>`. A date alone counts as a whole day.
                "StartTime>" => date().is_none_or(|from| created >= from),
                "StartTime<" => {
                    let whole = if value.len() == 10 { DAY } else { 0 };
                    date().is_none_or(|until| created < until + whole)
                }
                "StartTime" => date().is_none_or(|from| (from..from + DAY).contains(&created)),
                _ => true,
            }
        })
}

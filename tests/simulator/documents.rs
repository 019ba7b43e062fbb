//! Getting TwiML: from the create request or from a URL, with Twilio's fallback and its complaints.

use crate::call::Leg;
use crate::callbacks::call_fields;
use crate::order::{Hook, Twiml};
use crate::record::{Document, Fields};
use crate::twiml::{self, Verb};
use crate::verbs::Step;

/// A document read, and the URL that its relative links start from.
pub(crate) struct Page {
    pub base: Option<String>,
    pub verbs: Vec<Verb>,
}

/// Fetches and reads; on failure asks the fallback URL once, and then the call ends.
pub(crate) async fn page(leg: &mut Leg<'_>, source: &Twiml, extra: &Fields) -> Result<Page, Step> {
    let hook = match source {
        Twiml::Inline(document) => {
            leg.call.record().twiml.push(Document {
                url: "inline".to_owned(),
                fields: Vec::new(),
                attempts: Vec::new(),
                content_type: None,
                body: document.clone(),
            });
            return read(leg, None, document).map_err(|_| Step::broken());
        }
        Twiml::Fetched(hook) => hook,
    };
    let code = match fetch(leg, hook, extra).await? {
        Ok(page) => return Ok(page),
        Err(code) => code,
    };
    let Some(fallback) = leg.call.order.fallback.clone() else {
        return Err(Step::broken());
    };
    let complaint = [
        ("ErrorCode", code.to_string()),
        ("ErrorUrl", hook.url.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    fetch(leg, &fallback, &complaint.to_vec())
        .await?
        .map_err(|_| Step::broken())
}

/// The inner error is the code that Twilio's log would show.
async fn fetch(leg: &mut Leg<'_>, hook: &Hook, extra: &Fields) -> Result<Result<Page, u32>, Step> {
    let mut fields = call_fields(leg.call, "in-progress");
    if let Some(verdict) = leg.call.record().answered_by {
        fields.push(("AnsweredBy".to_owned(), verdict.to_owned()));
    }
    fields.extend(extra.iter().cloned());
    let (twilio, call) = (leg.twilio, leg.call);
    let sent = leg
        .during(twilio.http.send(&call.account, hook, &fields))
        .await?;
    let answer = sent.answer;
    if sent.wrong_fragment {
        call.record()
            .notify(11243, "A URL's fragment has a wrong value");
    }
    call.record().twiml.push(Document {
        url: hook.url.clone(),
        fields,
        attempts: sent.attempts,
        content_type: answer
            .as_ref()
            .and_then(|answer| answer.content_type.clone()),
        body: answer
            .as_ref()
            .map_or_else(String::new, |answer| answer.body.clone()),
    });
    let Some(answer) = answer else {
        call.record()
            .notify(11205, "The TwiML URL could not be reached");
        return Ok(Err(11205));
    };
    if !(200..300).contains(&answer.status) {
        let message = format!("The TwiML URL answered {}", answer.status);
        call.record().notify(11200, message);
        return Ok(Err(11200));
    }
    let kind = answer.content_type.unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !matches!(kind, "text/xml" | "application/xml" | "text/html") {
        call.record()
            .notify(12300, format!("Invalid content type: {kind:?}"));
        return Ok(Err(12300));
    }
    Ok(read(leg, Some(hook.url.clone()), &answer.body))
}

fn read(leg: &Leg<'_>, base: Option<String>, document: &str) -> Result<Page, u32> {
    match twiml::parse(document) {
        Ok(verbs) => Ok(Page { base, verbs }),
        Err(complaint) => {
            let message = format!("Document parse failure: {complaint}");
            leg.call.record().notify(12100, message);
            Err(12100)
        }
    }
}

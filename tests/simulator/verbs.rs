//! Carrying out TwiML: verb after verb, document after document, until the call is over.

use crate::amd;
use crate::call::{Ending, Leg, Steer};
use crate::clock::now_ms;
use crate::documents::{self, Page};
use crate::faults::Step as Hold;
use crate::media;
use crate::order::{Hook, Twiml};
use crate::record::Fields;
use crate::twiml::{Link, Verb};
use reqwest::Url;
use std::time::Duration;

/// Documents in one call; a redirect that leads back to itself ends there.
const MOST_DOCUMENTS: usize = 30;
/// Speaking pace of `<Say>`.
const MS_PER_CHARACTER: u64 = 65;

/// What comes after a verb that is not simply the next one.
#[derive(Debug)]
pub(crate) enum Step {
    End(Ending),
    Goto(Twiml, Fields),
}

impl Step {
    /// "We are sorry, an application error has occurred. Goodbye."
    pub(crate) fn broken() -> Self {
        Self::End(Ending::completed("twilio"))
    }
}

pub(crate) async fn run(leg: &mut Leg<'_>) -> Ending {
    leg.twilio.hold(&leg.call.order.to, Hold::Twiml).await;
    let mut step = match amd::detect(leg).await {
        Ok(()) => Step::Goto(leg.call.order.twiml.clone(), Vec::new()),
        Err(step) => step,
    };
    for _ in 0..MOST_DOCUMENTS {
        step = match step {
            Step::End(ending) => return ending,
            Step::Goto(source, fields) => match documents::page(leg, &source, &fields).await {
                Ok(page) => document(leg, page).await,
                Err(step) => step,
            },
        };
    }
    leg.call.record().notify(11200, "Too many redirects");
    Ending::completed("twilio")
}

/// Runs a document to its end, which hangs up, or to the verb that leaves it.
async fn document(leg: &mut Leg<'_>, page: Page) -> Step {
    // A document that runs out behind a media stream was ended by whoever closed the stream.
    let mut by = "twiml";
    for verb in page.verbs {
        by = "twiml";
        let done = match verb {
            Verb::Connect { action, stream } => {
                leg.twilio.hold(&leg.call.order.to, Hold::Media).await;
                match media::run(leg, &stream, page.base.as_deref()).await {
                    Ok(closed_by) => {
                        by = closed_by;
                        action.map_or(Ok(()), |link| goto(page.base.as_deref(), link))
                    }
                    Err(step) => Err(step),
                }
            }
            Verb::Say(text) => {
                let ms = text.chars().count() as u64 * MS_PER_CHARACTER;
                leg.call.record().said.push(text.clone());
                let began_at_ms = now_ms();
                let spoken = leg
                    .during(tokio::time::sleep(Duration::from_millis(ms)))
                    .await;
                if let (Ok(()), Some(mailbox)) = (&spoken, &mut leg.call.record().mailbox)
                    && began_at_ms >= mailbox.beeps_at_ms
                {
                    mailbox.message.push(text);
                }
                spoken
            }
            Verb::Play(url) => {
                // What is played is not examined; a second stands for it.
                leg.call.record().said.push(url);
                leg.during(tokio::time::sleep(Duration::from_secs(1))).await
            }
            Verb::Pause(seconds) => {
                leg.during(tokio::time::sleep(Duration::from_secs(seconds)))
                    .await
            }
            Verb::Redirect(link) => goto(page.base.as_deref(), link),
            Verb::Hangup | Verb::Reject => Err(Step::End(Ending::completed("twiml"))),
        };
        if let Err(step) = done {
            return step;
        }
    }
    Step::End(Ending::completed(by))
}

fn goto(base: Option<&str>, link: Link) -> Result<(), Step> {
    let url = absolute(base, &link.url).ok_or_else(Step::broken)?;
    let hook = Hook { url, get: link.get };
    Err(Step::Goto(Twiml::Fetched(hook), Vec::new()))
}

/// A link's URL; relative ones start from the document's own.
pub(crate) fn absolute(base: Option<&str>, url: &str) -> Option<String> {
    if Url::parse(url).is_ok() {
        // As given: parsing and printing could change what is signed.
        return Some(url.to_owned());
    }
    let joined = Url::parse(base?).ok()?.join(url).ok()?;
    Some(joined.to_string())
}

impl Leg<'_> {
    /// Does something that takes its time, unless the call ends or is sent elsewhere meanwhile.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Step> {
        tokio::pin!(work);
        loop {
            let steer = tokio::select! {
                done = &mut work => return Ok(done),
                () = tokio::time::sleep_until(self.deadline()) => {
                    let ending = self.overdue().unwrap_or(Ending::completed("contact"));
                    return Err(Step::End(ending));
                }
                steer = self.steering.recv() => steer,
            };
            if let Some(step) = steer.and_then(after) {
                return Err(step);
            }
        }
    }
}

/// What a change from outside does to the document; nothing for those that only concern a stream.
pub(crate) fn after(steer: Steer) -> Option<Step> {
    match steer {
        Steer::ContactHangsUp => Some(Step::End(Ending::completed("contact"))),
        Steer::ApiEnds => Some(Step::End(Ending::completed("api"))),
        Steer::Replace(twiml) => Some(Step::Goto(twiml, Vec::new())),
        Steer::Dtmf(_) | Steer::Speak | Steer::DropMedia => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_to_their_document() {
        let base = Some("https://gw.example/twiml/token?a=1");
        assert_eq!(
            absolute(base, "next").unwrap(),
            "https://gw.example/twiml/next"
        );
        assert_eq!(
            absolute(base, "/x?y=%20").unwrap(),
            "https://gw.example/x?y=%20"
        );
        assert_eq!(
            absolute(base, "https://other.example").unwrap(),
            "https://other.example"
        );
        assert_eq!(absolute(None, "/x"), None);
    }
}

//! Answering-machine detection: a person or a mailbox, told before the TwiML or beside it.

use crate::call::{Call, Leg};
use crate::callbacks::post_aside;
use crate::order::Hook;
use crate::scenario::Scenario;
use crate::twilio::Twilio;
use crate::verbs::Step;
use std::sync::Arc;
use std::time::Duration;

/// Runs the detection that the create asked for. Without a callback of its own it holds the TwiML back.
pub(crate) async fn detect(leg: &mut Leg<'_>) -> Result<(), Step> {
    let Some(detection) = &leg.call.order.detection else {
        return Ok(());
    };
    let mailbox = leg.call.scenario == Scenario::Voicemail;
    let (verdict, takes) = match (mailbox, detection.wait_for_end) {
        (false, _) => ("human", leg.twilio.config.detection_ms),
        (true, false) => ("machine_start", leg.twilio.config.detection_ms),
        (true, true) => {
            let greeting = leg.twilio.config.speech.mailbox.len() as u64 / 8;
            ("machine_end_beep", greeting)
        }
    };
    match &detection.beside {
        Some(hook) => {
            let beside = beside(
                leg.twilio.clone(),
                leg.call.clone(),
                hook.clone(),
                verdict,
                takes,
            );
            tokio::spawn(beside);
        }
        None => {
            leg.during(tokio::time::sleep(Duration::from_millis(takes)))
                .await?;
            leg.call.record().answered_by = Some(verdict);
        }
    }
    Ok(())
}

async fn beside(
    twilio: Arc<Twilio>,
    call: Arc<Call>,
    hook: Hook,
    verdict: &'static str,
    takes: u64,
) {
    tokio::time::sleep(Duration::from_millis(takes)).await;
    {
        let mut record = call.record();
        if record.is_over() {
            return;
        }
        record.answered_by = Some(verdict);
    }
    let fields = [
        ("CallSid", call.sid.clone()),
        ("AccountSid", call.account.sid.clone()),
        ("AnsweredBy", verdict.to_owned()),
        ("MachineDetectionDuration", takes.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    post_aside(&twilio, &call, hook, "amd", verdict, fields);
}

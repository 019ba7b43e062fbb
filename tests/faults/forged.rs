//! Callbacks that Twilio did not send: each is refused and changes nothing.

use calls::secret::Secret;
use calls::twilio::signature;
use http::Request;
use serde_json::{Value, json};
use tests::tenant::{AUTH_TOKEN, Tenant, eventually};

/// Forges callbacks about a call whose end is held back, then lets it go on.
pub(crate) fn against(tenant: &Tenant, id: &str) -> Result<(), String> {
    eventually(20, || (tenant.held() == 1).then_some(())).ok_or("the call is not held up")?;
    // Its voice has nothing more to say while it rings, so that nothing but a forgery can change it.
    let quiet = eventually(60, || {
        let call = tenant.get(&format!("/v1/calls/{id}"))?;
        let events = call["timeline"].as_array()?;
        let ready = events.iter().any(|event| event["event"] == "voice_ready");
        (ready && call["status"] == "ringing").then_some(call)
    });
    let before = quiet.ok_or("the call does not ring, or its voice is not ready")?;
    let simulated = tenant.simulated().remove(0);
    let parameter = |name: &str| {
        let pairs = simulated["parameters"].as_array()?;
        let url = pairs.iter().find(|pair| pair[0] == name)?[1].as_str()?;
        url.split('#').next().map(str::to_owned)
    };
    let sid = simulated["sid"].as_str().ok_or("no SID")?;
    let another = format!("CA{}", "f".repeat(32));
    for name in ["StatusCallback", "Url"] {
        let url = parameter(name).ok_or("no such URL")?;
        let tampered = format!("{url}x");
        let other_token = AUTH_TOKEN.replace('1', "2");
        let forged = [
            (&url, sid, None),
            (&url, sid, Some(other_token.as_str())),
            (&url, another.as_str(), Some(AUTH_TOKEN)),
            (&tampered, sid, Some(AUTH_TOKEN)),
        ];
        for (url, sid, token) in forged {
            let status = send(tenant, url, sid, token);
            if status != 403 {
                return Err(format!(
                    "forged with {token:?} at {name}: answered {status}"
                ));
            }
        }
    }
    let after = call(tenant, id)?;
    if after != before {
        return Err(format!("forged callbacks changed a call to {after:#}"));
    }
    tenant.faults(&json!({ "story": "busy" }));
    Ok(())
}

fn call(tenant: &Tenant, id: &str) -> Result<Value, String> {
    let call = tenant.get(&format!("/v1/calls/{id}"));
    call.ok_or_else(|| format!("call {id} does not read"))
}

fn send(tenant: &Tenant, url: &str, sid: &str, token: Option<&str>) -> u16 {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("AccountSid", "AC00000000000000000000000000000041")
        .append_pair("CallSid", sid)
        .append_pair("CallStatus", "completed")
        .append_pair("CallDuration", "99")
        .finish()
        .into_bytes();
    let mut request =
        Request::post(url).header("content-type", "application/x-www-form-urlencoded");
    if let Some(token) = token {
        let signed = signature::sign(&Secret::new(token), url, &body);
        request = request.header("x-twilio-signature", signed);
    }
    let answer = tenant.http.fetch(request.body(body).expect("well-formed"));
    answer.status().as_u16()
}

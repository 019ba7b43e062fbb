//! An agent's CRM and the model that analyses its calls, around a whole call.

use http::Request;
use serde_json::{Value, json};
use std::time::Duration;
use tests::placed::Placed;

/// The CRM is asked before the call and told after it, with the analysis a model made in between.
#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_crm_before_and_after_a_call() {
    let http = tests::driver::Http::from_env();
    let inbox = format!("{}/_sim/inbox", http.simulator);
    let send = |request: http::request::Builder, body: &Value| {
        let answer = http.fetch(request.body(body.to_string().into_bytes()).unwrap());
        let said = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(answer.status().is_success(), "{said}");
        serde_json::from_str::<Value>(&said).unwrap_or_default()
    };
    let answers = |name: &str, body: Value| {
        let request = Request::put(format!("{inbox}/{name}/answer"))
            .header("content-type", "application/json");
        send(request, &json!({ "body": body }));
    };
    answers("crm", json!({ "name": "Rahul", "plan": { "tier": 2 } }));
    let content = r#"{"DISPOSITION": "PROMISED"}"#;
    answers(
        "analyst",
        json!({ "choices": [{ "message": { "content": content } }] }),
    );
    let agent = json!({
        "type": "agent", "id": "with-crm", "organization": "demo", "owner": "founder", "bot_id": "with-crm",
        "published": { "greeting": "Hello {{crm.name}}, tier {{crm.plan.tier}}.", "call_s": 20, "silence_s": 3 },
        "pre_fetch": {
            "url": format!("{inbox}/crm/customers?phone={{{{call.callerId}}}}"),
            "headers": { "Authorization": "Bearer crm-secret" },
        },
        "post_call_analysis": { "prompt": "Did {{crm.name}} promise to pay?" },
        "post_call_push": {
            "url": format!("{inbox}/pushed"),
            "key_mapper": { "who": "{{crm.name}}", "what": "{{analysis.DISPOSITION}}", "by": "{{result.disconnected_by}}" },
        },
    });
    let import = Request::post(format!("{}/v1/admin/import", http.gateway))
        .header("authorization", "Bearer rd_admin_demo_6b1f0c8d2e4a5937");
    send(import, &agent);
    let dial = Request::post(format!("{}/api/v1/dialout", http.gateway))
        .header("x-api-key", tests::placed::KEY);
    let placed = send(
        dial,
        &json!({ "bot_id": "with-crm", "to_number": "+15005550006" }),
    );
    let placed = Placed {
        http: tests::driver::Http::from_env(),
        status: 200,
        id: placed["call_id"].as_str().unwrap().to_owned(),
    };
    assert_eq!(placed.call()["greeting"], "Hello Rahul, tier 2.");
    placed.ends("completed");
    let call = placed.wait_until("analysed", 30, |call| {
        call["post_call_analysis"].is_object()
    });
    assert_eq!(call["post_call_analysis"]["DISPOSITION"], "PROMISED");
    let requests = |name: &str| http.simulated(&format!("/_sim/inbox/{name}/requests"));
    let asked = requests("crm");
    let asked = asked.as_array().unwrap().last().unwrap();
    assert_eq!(asked["query"], "phone=%2B15005550006");
    assert_eq!(asked["headers"]["authorization"], "Bearer crm-secret");
    for _ in 0..100 {
        if requests("pushed")
            .as_array()
            .is_some_and(|all| !all.is_empty())
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let pushed = requests("pushed");
    let body = pushed.as_array().unwrap().last().unwrap()["body"].as_str();
    let body: Value = serde_json::from_str(body.unwrap()).unwrap();
    assert_eq!(body["who"], "Rahul");
    assert_eq!(body["what"], "PROMISED");
    assert!(
        matches!(body["by"].as_str(), Some("customer" | "timeout" | "bot")),
        "{body}"
    );
}

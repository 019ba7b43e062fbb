# dialout, "Trigger an outbound call", with the variables of its own example.
# < {"status": "ok", "call_id": "<uuid>"}
curl -X POST $GATEWAY/api/v1/dialout \
  -H "X-API-Key: $KEY" \
  -H "Content-Type: application/json" \
  -d '{"bot_id": "demo-bot", "to_number": "+14155550100", "variables": {"customer_name": "Rahul Sharma"}}'

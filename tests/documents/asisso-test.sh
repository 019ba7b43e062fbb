# asisso, API Trigger, "Test vs production" and "Initial context".
# < {"status": "initiated", "workflow_run_id": "<integer>", "workflow_run_name": "WR-TEST-<4 digits>"}
curl -X POST $GATEWAY/api/v1/public/agent/test/$TRIGGER \
  -H "Content-Type: application/json" \
  -H "X-API-Key: $KEY" \
  -d '{
    "phone_number": "+14155550100",
    "initial_context": {
        "user": {
            "name": "John"
        }
    }
}'

# asisso, API Trigger, "Making a request".
# < {"status": "initiated", "workflow_run_id": "<integer>", "workflow_run_name": "WR-API-<4 digits>"}
curl -X POST $GATEWAY/api/v1/public/agent/$TRIGGER \
  -H "Content-Type: application/json" \
  -H "X-API-Key: $KEY" \
  -d '{
    "phone_number": "+14155550100",
    "initial_context": {
      "customer_name": "Jane",
      "appointment_date": "March 15"
    }
  }'

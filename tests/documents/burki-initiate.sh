# burki, Initiate Call, "Request" and "Response".
# < {"message": "Call initiated successfully", "call_sid": "<sid>"}
curl -X POST $GATEWAY/calls/initiate \
  -H "Authorization: Bearer $KEY" \
  -H "Content-Type: application/json" \
  -d '{
  "assistant_id": 123,
  "to_phone_number": "+15559876543",
  "welcome_message": "Hello {{name}}, this is a reminder about your appointment tomorrow at {{time}}.",
  "agenda": "Remind {{name}} about their upcoming {{appointment_type}} appointment.",
  "variables": {
    "name": "John Doe",
    "time": "10 AM",
    "appointment_type": "dental"
  }
}'

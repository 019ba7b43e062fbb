# AlloMia, Create Outbound Call, with every field it names but the callback.
# < {"outboundCallId": "<uuid>", "contactId": "<uuid>", "status": "calling", "message": "Outbound call dispatched"}
curl -X POST $GATEWAY/api/outbound \
  -H "Authorization: Bearer $KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "phoneNumber": "+15145551234",
    "assistantId": "019addcc-b878-7b10-85f1-49f21342f947",
    "phoneNumberId": "6a1d2c3b-0000-4000-8000-000000000041",
    "customerName": "John Doe",
    "dynamicVariables": {"patientName": "John Doe", "appointmentSlot": "10 AM", "practitionerName": "Dr. Roy"}
  }'

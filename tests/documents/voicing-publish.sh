# voicing, API Flow, "cURL example". A number stands where the document has X in it.
# < {"status": "success", "message": "Outbound call started successfully", "call_id": "<uuid>"}
curl -X POST "$GATEWAY/api/v1/campaigns/publish-outbound-call" \
-H "Content-Type: application/json" \
-H "X-API-Key: $KEY" \
-d '{
"assistant_id": "019addcc-b878-7b10-85f1-49f21342f947",
"phone_number": "7018112582",
"input_variables": {
"name": "John Doe",
"plan_type": "Premium"
},
"telephony_provider": "default"
}'

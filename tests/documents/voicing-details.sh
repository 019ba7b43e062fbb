# voicing, API Flow, "Get call details (GET)".
# < {"success": true, "call_id": "<uuid>", "status": "<text>", "duration": "<integer>", "…": "…"}
curl -X GET \
"$GATEWAY/api/v1/campaigns/get-call-details?call_id=$CALL" \
-H 'Content-Type: application/json' \
-H "x-api-key: $KEY"

# voicing, API Flow, "Get multiple call details (POST)".
# < {"success": true, "data": [{"call_id": "<sid>", "status": "<text>", "duration": "<integer>", "…": "…"}, {"call_id": "<uuid>", "status": "<text>", "duration": "<integer>", "…": "…"}], "…": "…"}
curl -X POST "$GATEWAY/api/v1/campaigns/get-call-details/bulk-by-ids" \
-H 'Content-Type: application/json' \
-H "x-api-key: $KEY" \
-d "{
\"call_ids\": [
\"$SID\",
\"$CALL\"
]
}"

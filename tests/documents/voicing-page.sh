# voicing, API Flow, "Get all call details (GET)".
# < {"success": true, "page": 1, "limit": 100, "…": "…"}
curl -X GET \
"$GATEWAY/api/v1/campaigns/get-call-details?page=1&limit=100" \
-H 'Content-Type: application/json' \
-H "x-api-key: $KEY"

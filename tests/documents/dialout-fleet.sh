# dialout, "Check capacity first".
# < {"status": "ok", "fleet_calls": "<integer>", "fleet_max": "<integer>", "fleet_available": "<integer>", "workers": []}
curl $GATEWAY/health/fleet -H "X-API-Key: $KEY"

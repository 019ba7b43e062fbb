# AlloMia, Get Outbound Call Status.
# < {"outboundCallId": "<uuid>", "status": "busy", "callDetails": {"endedReason": "customer-busy", "…": "…"}, "…": "…"}
curl $GATEWAY/api/outbound/$CALL/status -H "Authorization: Bearer $KEY"

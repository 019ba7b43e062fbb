// voicing, API Flow, "JavaScript example (fetch)". A number stands where the document has X in it.
// < { status: 'success', message: 'Outbound call started successfully', call_id: '<uuid>' }
const response = await fetch(
`${process.env.GATEWAY}/api/v1/campaigns/publish-outbound-call`,
{
method: "POST",
headers: {
"Content-Type": "application/json",
"X-API-Key": process.env.KEY,
},
body: JSON.stringify({
assistant_id: "019addcc-b878-7b10-85f1-49f21342f947",
phone_number: "7018112582",
input_variables: {
name: "John Doe",
plan_type: "Premium",
},
telephony_provider: "default",
}),
}
);
const data = await response.json();
console.log(data);

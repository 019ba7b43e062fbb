// Checks reports with the library of Standard Webhooks, as their receivers do. Each line of standard input:
//   {"secret": "whsec_…", "headers": {…}, "body": "…"}
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

let checked = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  const webhook = new Webhook(secret);
  webhook.verify(body, headers);
  refuses("another body", () => webhook.verify(`${body} `, headers));
  refuses("another id", () => webhook.verify(body, { ...headers, "webhook-id": "msg_other" }));
  const other = new Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  refuses("another secret", () => other.verify(body, headers));
  checked += 1;
}
if (checked === 0) throw new Error("no reports on standard input");
console.log(`${checked} reports verified`);

function refuses(what, verify) {
  try {
    verify();
  } catch {
    return;
  }
  throw new Error(`${what} was accepted`);
}

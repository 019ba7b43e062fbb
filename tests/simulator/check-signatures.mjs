// Checks the simulator's signatures with Twilio's own library:
//   simulator --print-vectors | node tests/simulator/check-signatures.mjs
// Each line: {"token", "url", "params": [[name, value], …]} or {"token", "url", "body"}, and "signature".
import { createInterface } from "node:readline";
import twilio from "twilio";

let checked = 0;
let wrong = 0;
for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  const { token, url, params, body, signature } = JSON.parse(line);
  const accepts = (given) =>
    body === undefined
      ? twilio.validateRequest(token, given, url, fields(params))
      : twilio.validateRequestWithBody(token, given, url, body);
  checked += 1;
  if (!accepts(signature) || accepts(tampered(signature))) {
    wrong += 1;
    console.error(`not as Twilio signs: ${url}`);
  }
}
if (checked === 0) {
  console.error("no vectors on standard input");
  process.exit(2);
}
console.log(`${checked - wrong} of ${checked} signatures accepted by Twilio's library`);
process.exit(wrong === 0 ? 0 : 1);

// Repeated fields are an array, as Express hands them over.
function fields(pairs) {
  const all = {};
  for (const [name, value] of pairs) {
    all[name] = name in all ? [].concat(all[name], value) : value;
  }
  return all;
}

// Another signature of the same length.
function tampered(signature) {
  return (signature[0] === "A" ? "B" : "A") + signature.slice(1);
}

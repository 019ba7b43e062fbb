// Runs a built Worker on workerd without wrangler's proxy and request log.
// node workerd.mjs FOLDER PORT VARIABLES-AS-JSON
import { Log, LogLevel, Miniflare } from "miniflare";

const [folder, port, variables] = process.argv.slice(2);
const sqlite = (className) => ({ className, useSQLite: true });
const gateway = folder.endsWith("build");
const miniflare = new Miniflare({
  log: new Log(LogLevel.ERROR),
  host: "127.0.0.1",
  port: Number(port),
  rootPath: folder,
  modulesRoot: folder,
  scriptPath: "index.js",
  modules: true,
  modulesRules: [
    { type: "ESModule", include: ["**/*.js"] },
    { type: "CompiledWasm", include: ["**/*.wasm"] },
  ],
  compatibilityDate: "2026-02-15",
  bindings: JSON.parse(variables),
  kvNamespaces: ["CONFIG"],
  durableObjects: gateway ? { CALLS: sqlite("CallObject"), ORGANIZATIONS: sqlite("OrganizationObject") } : {},
});
await miniflare.ready;
const kv = await miniflare.getKVNamespace("CONFIG");
await kv.put("key", "value");
console.log(`ready on ${port}`);
process.on("SIGTERM", () => miniflare.dispose().then(() => process.exit(0)));

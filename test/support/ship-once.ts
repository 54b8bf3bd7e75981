import { openDirectoryVault } from "../../lib/vault/storage/directory.ts";
import { shipInto } from "./log-fixture.ts";

// Ships a server's log into a vault in a directory, every ten seconds for a time: node ship-once.ts URL FOLDER SECONDS
// With 0 seconds it ends when it has caught up with what is there.
const [url = "", folder = "", seconds = "0"] = process.argv.slice(2);
const vault = { name: "primary", storage: openDirectoryVault("primary", folder) };
await vault.storage.prepare();
await shipInto(vault, url, { segmentMs: 10_000, until: new Date(Date.now() + Number(seconds) * 1000) });

import { openDirectoryVault } from "../../lib/vault/storage/directory.ts";
import { shipInto } from "./log-fixture.ts";

// Ships a server's log into a vault in a directory until it is killed: node ship-process.ts URL FOLDER
const [url = "", folder = ""] = process.argv.slice(2);
const vault = { name: "primary", storage: openDirectoryVault("primary", folder) };
process.stdout.write("ready\n");
await shipInto(vault, url, { segmentMs: 50, until: new Date(Date.now() + 600_000) });

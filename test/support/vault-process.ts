import { argv, stdout } from "node:process";
import { openDirectoryVault } from "../../lib/vault/storage/directory.ts";
import { countUp, pattern } from "./storage-data.ts";

// A process of its own over a vault in a directory: `count PATH KEY TIMES` adds to a counter and ends,
// `write PATH NAME` streams into a blob until it is killed, and says "writing" once the first bytes are on their way.
const [, , command, path = "", name = "", times = "0"] = argv;
const vault = openDirectoryVault("child", path);

async function* endless(): AsyncGenerator<Buffer, void, undefined> {
  for (let sent = 0; ; sent++) {
    if (sent === 8) stdout.write("writing\n");
    yield pattern(1024 * 1024);
  }
}

if (command === "count") await countUp(vault.state, name, Number(times));
if (command === "write") await vault.data.create(name, endless());

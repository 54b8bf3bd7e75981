// Copies what the compiler leaves behind, and the program reads at run time, from lib into dist.
import { cp } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);
const ASSETS = ["lib/sources/mysql/kernel/rows.wasm", "lib/sources/mysql/kernel/lines.wasm"];

for (const asset of ASSETS) {
  await cp(fileURLToPath(new URL(asset, root)), fileURLToPath(new URL(`dist/${asset}`, root)));
}

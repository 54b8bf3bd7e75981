// Compiles the AssemblyScript kernel that turns rows into text: lib/sources/mysql/kernel/rows.wasm.
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const folder = fileURLToPath(new URL("../lib/sources/mysql/kernel/", import.meta.url));
const options = [
  "assembly/index.ts",
  "--baseDir",
  folder,
  "--outFile",
  "rows.wasm",
  "-O3",
  "--converge",
  "--noAssert",
  "--runtime",
  "stub",
  "--enable",
  "simd",
  "--use",
  "abort=",
];
const { error } = await asc.main(options, { stdout: process.stdout, stderr: process.stderr });
if (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

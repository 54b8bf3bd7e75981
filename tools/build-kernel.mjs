// Compiles the AssemblyScript kernels: rows.wasm turns rows into text, lines.wasm counts and hashes such text.
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const folder = fileURLToPath(new URL("../lib/sources/mysql/kernel/", import.meta.url));
const KERNELS = { "rows.wasm": "assembly/index.ts", "lines.wasm": "assembly/lines.ts" };

for (const [outFile, entry] of Object.entries(KERNELS)) {
  const options = [
    entry,
    "--baseDir",
    folder,
    "--outFile",
    outFile,
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
}

#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";

// Nothing of ours may be imported before it has passed: older Node versions fail on the rest with a riddle.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 15)) {
  process.stderr.write(
    `resguardo: NODE_TOO_OLD: found Node.js ${process.versions.node}, expected 22.15 or later\n` +
      "Run it through npx or an npm script, which use the Node.js that npm ci has brought, or install a newer one.\n",
  );
  process.exitCode = 2;
} else {
  // Rows pass through buffers outside of V8's heap, which counts them as its own: by default it would look through the whole
  // heap, a few objects, for each 20 MB of them, and that costs as much as a sixth of a backup.
  setFlagsFromString("--heap-growing-percent=900");
  const { runCommandLine } = await import("./program.ts");
  process.exitCode = await runCommandLine(process.argv.slice(2));
}

import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";

const folder = process.env.FIXTURE_FOLDER ?? ".";

/** Adds a line that the test reads: what happened, in which process. */
export function record(event, fields = {}) {
  const line = JSON.stringify({ event, pid: process.pid, at: Date.now(), ...fields });
  appendFileSync(join(folder, "records.jsonl"), `${line}\n`);
}

/** Waits until the test opens the gate of that name. */
export async function gate(name) {
  await eventually(() => existsSync(join(folder, `gate-${name}`)), {
    deadlineMs: 120_000,
    describe: `the test to open the gate ${name}`,
  });
}

import { parseArgs } from "node:util";
import { runContest, type BenchRow, type Contest } from "./pairs.ts";
import { describeMeasured, measured, type MeasuredRow, type Measurement } from "./measurement.ts";
import { openMysqlBench } from "./mysql/contests.ts";
import { openVerifyBench } from "./verify/contests.ts";

/** A bench's contests, and what has to be taken down afterwards. */
export interface Bench extends AsyncDisposable {
  contests: Contest[];
  measurements: Measurement[];
}

const BENCHES: Readonly<Record<string, (gib: number) => Promise<Bench>>> = {
  mysql: openMysqlBench,
  verify: openVerifyBench,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    pairs: { type: "string", default: "3" },
    gib: { type: "string", default: "1" },
    only: { type: "string" },
  },
});

const open = BENCHES[positionals[0] ?? ""];
if (open) process.exitCode = await runBench(await open(Number(values.gib)));
else {
  process.stderr.write("usage: npm run bench -- mysql|verify [--json] [--pairs 3] [--gib 1] [--only ID]\n");
  process.exitCode = 2;
}

async function runBench(opened: Bench): Promise<number> {
  await using bench = opened;
  const rows: BenchRow[] = [];
  const measurements: MeasuredRow[] = [];
  const isChosen = ({ id }: { id: string }) => values.only === undefined || values.only === id;
  for (const contest of bench.contests.filter(isChosen)) {
    rows.push(await runContest(contest, Number(values.pairs), tell));
  }
  for (const { id, ratio, ratioAtMost, rssMb, rssMbAtMost } of rows) {
    const verdict = ratio <= ratioAtMost ? "reached" : "MISSED";
    tell(
      `${id}: median ratio ${ratio.toFixed(2)}, at most ${ratioAtMost}: ${verdict}; peak RSS ${rssMb.toFixed(0)} MB of ${rssMbAtMost}`,
    );
  }
  for (const measurement of bench.measurements.filter(isChosen)) {
    const row = measured(measurement.id, await measurement.run());
    measurements.push(row);
    tell(describeMeasured(row));
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ rows, measurements }, undefined, 2)}\n`);
  return rows.length + measurements.length > 0 ? 0 : 2;
}

/** With --json standard output holds the one document only. */
function tell(line: string): void {
  (values.json ? process.stderr : process.stdout).write(`${line}\n`);
}

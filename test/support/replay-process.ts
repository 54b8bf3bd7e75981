import { argv, stdout } from "node:process";
import { GtidSet } from "../../lib/sources/mysql/gtid-set.ts";
import type { LogPiece } from "../../lib/sources/mysql/replay/replay.ts";
import { replay } from "./replay.ts";
import { serverLog } from "./server-log.ts";

// A process of its own that replays: SOURCE_URL, SOURCE_DATA_DIR, TARGET_URL, CHECKPOINT_SCHEMA. Says "started" once the
// replay takes its first event, and ends when everything is applied.
const [, , url = "", dataDir = "", target = "", checkpointSchema = ""] = argv;
const source = { url, dataDir };

async function* announced(): AsyncGenerator<LogPiece> {
  stdout.write("started\n");
  yield* serverLog(source);
}

const { transactions, resumed } = await replay(
  source,
  { url: target },
  { from: GtidSet.empty, checkpointSchema, log: announced() },
);
stdout.write(`${JSON.stringify({ transactions, resumed })}\n`);

import type { Measurement } from "../measurement.ts";
import { withRss } from "../measurement.ts";
import { figuresOf, runCli } from "../run-process.ts";
import { writePolicy } from "./policy.ts";
import { checksums, run, startPair } from "./servers.ts";

const LOG_BYTES = 1e9;
const ROWS = 1_000_000;

const SCHEMA = `
SET GLOBAL innodb_flush_log_at_trx_commit = 0;
CREATE DATABASE large;
CREATE TABLE large.texts (id INT PRIMARY KEY, a VARCHAR(1100) CHARACTER SET ascii);
`;

/** Half of each row does not compress. */
const TRANSACTION = `
SET SESSION cte_max_recursion_depth = ${ROWS};
INSERT INTO large.texts WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ${ROWS})
  SELECT i, CONCAT(REPEAT('r', 500), SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512)) FROM s`;

/** Shipping and restoring one transaction of 1 GB: time, and the memory that it takes. */
export function largeTransaction(folder: string): Measurement {
  return {
    id: "tx-1gb",
    run: async () => {
      await using resources = new AsyncDisposableStack();
      const options = { innodb_buffer_pool_size: "2G", innodb_redo_log_capacity: "2G" };
      const { source, target } = await startPair(resources, options);
      const env = await writePolicy(folder, source, target, "large");
      await run(source, SCHEMA);
      await runCli(["backup", "bench"], env);
      await run(source, TRANSACTION);
      const shipped = await runCli(["ship", "bench", "--json"], env);
      const logBytes = Number(figuresOf(shipped)["plainBytes"]);
      if (logBytes < LOG_BYTES) throw new Error(`the transaction has ${logBytes} bytes, expected ${LOG_BYTES}`);
      const restored = await runCli(["restore", "bench", "--target", "env:BENCH_TARGET_URL", "--scratch"], env);
      if ((await checksums(source, "large.texts")) !== (await checksums(target, "large.texts"))) {
        throw new Error("the restored table differs from the source's");
      }
      const seconds = { logBytes, shipSeconds: shipped.seconds, restoreSeconds: restored.seconds };
      return withRss(seconds, { ship: shipped.rssMb, restore: restored.rssMb });
    },
  };
}

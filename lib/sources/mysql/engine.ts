import type { SourceEngine } from "../engine.ts";
import { backupMysql } from "./backup.ts";
import { holdsTransaction, readMysqlChanges } from "./changes.ts";
import { compareMysql } from "./compare.ts";
import { findBegun } from "./find-begun.ts";
import { finishRestore, removeRestored } from "./finish.ts";
import { readHeartbeat } from "./heartbeat-table.ts";
import { planMysqlRestore, RESTORE_RATES } from "./plan.ts";
import { countMysqlTransactions, measureMysqlRows } from "./inspect.ts";
import { preflightMysql } from "./preflight.ts";
import { placeInLog, placeOfTransaction } from "./place-in-log.ts";
import { preflightMysqlTarget } from "./preflight-target.ts";
import { replayRestored } from "./replay-restored.ts";
import { restoreMysql } from "./restore.ts";
import { surveyRestored } from "./survey-restored.ts";
import { shipMysql } from "./ship-source.ts";

/** MySQL 8.4 and 9.x, over client connections alone. */
export const mysqlEngine: SourceEngine = {
  preflight: (context) => preflightMysql(context),
  preflightTarget: preflightMysqlTarget,
  backup: backupMysql,
  ship: shipMysql,
  placeInLog,
  placeOfTransaction,
  restoreRates: RESTORE_RATES,
  planRestore: planMysqlRestore,
  findBegun,
  restore: restoreMysql,
  compare: compareMysql,
  surveyLog: surveyRestored,
  replay: replayRestored,
  readHeartbeat,
  finishRestore,
  removeRestored,
  changes: readMysqlChanges,
  holdsTransaction,
  measureRows: measureMysqlRows,
  countTransactions: countMysqlTransactions,
};

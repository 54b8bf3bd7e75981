import type { ErrorCode } from "../core/error-codes.ts";
import type { Logger } from "../core/log.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Progress } from "../core/progress.ts";
import type { BackupReader } from "../vault/backup-reader.ts";
import type { BackupWriter, EngineContent } from "../vault/backup-writer.ts";
import type { ValidSegment } from "../vault/segment-head.ts";
import type { SegmentContent } from "../vault/segment-manifest.ts";
import type { SegmentSink } from "../vault/segment-writer.ts";
import type { Clock } from "../core/time.ts";
import type { ChangesQuery, ChangesReport } from "./changes.ts";

/** One requirement and what was found: shown all at once, before anything fails because of it. */
export interface Finding {
  setting: string;
  found: string;
  required: string;
  /** `unknown` is what could not be looked at; it is never counted as met. */
  ok: boolean | "unknown";
  /** A backup or restore is refused when a `required` one is not met. */
  level: "required" | "advised";
  /** The statement to run or the setting to change. */
  change?: string;
  code?: ErrorCode;
}

/** One comparison after a restore. */
export interface Check {
  name: string;
  expected: string;
  found: string;
  ok: boolean;
}

/** What every verb of an engine gets. */
export interface EngineContext {
  logger: Logger;
  progress: Progress;
  signal: AbortSignal;
}

export interface SourceContext extends EngineContext {
  source: SourcePolicy;
  /** Connection URL with credentials; never logged. */
  url: string;
}

/** A log to be shipped into the vaults. */
export interface ShipContext extends SourceContext {
  /** What tells this shipper from others at the server. */
  identity: string;
  clock: Clock;
  /** The end of the log in the vaults. */
  previous: { id: string; content: SegmentContent } | undefined;
  sink: SegmentSink;
  /** Positions of the fulls that can be restored, oldest first. */
  fulls(): Promise<EngineContent["position"][]>;
  /** Shipping ends when it has caught up with the source as it is then. */
  until: Date;
}

export interface ShipReport {
  segments: number;
  transactions: number;
  plainBytes: number;
  storedBytes: number;
  /** Of the newest transaction that was shipped now. */
  lastCommitAt: string | undefined;
  /** The log in the vault holds everything that was committed until then. Empty where that is not known. */
  caughtUpAt: string;
  /** `gtid`, or `file` where the server has no GTIDs. */
  resumedBy: "gtid" | "file";
  /** Where the log can't be continued: only a full backup after it is followed by what comes now. */
  gaps: { reason: string; message: string }[];
  /** How often the connection broke. */
  reconnects: number;
}

/** Where a full backup stands relative to a stretch of the log. */
export type PlaceInLog = "before" | "within" | "after";

/** A server that restores are to go to. */
export interface TargetContext extends EngineContext {
  /** Connection URL with credentials; never logged. */
  url: string;
}

/** Where a transaction is: in a full backup, in the log after it, or in neither. */
export type PlaceOfTransaction = "full" | "log" | "none";

/** Up to where a restore goes on after the full backup, by the source's log. */
export interface RestoreInstant {
  /**
   * `latest`, a time in UTC with six decimals, or `before:ID` and `after:ID` with the engine's name of a transaction;
   * `backup:ID` where nothing is replayed.
   */
  to: string;
  /** What the policy backs up; absent is everything. */
  databases?: readonly string[] | undefined;
  /** `schema.table` each: in the log, and not in the backup. */
  excludeTables: readonly string[];
  /** Go on where a statement can't be replayed under these names or this choice of tables; the report lists them. */
  leaveOutRefused: boolean;
}

/** The log that leads from a full backup to an instant. */
export interface LogToReplay {
  /** Oldest first, verified. */
  segments: readonly ValidSegment[];
  /** Opens the data of one. */
  read(segment: ValidSegment): AsyncIterable<Buffer>;
}

/** What to restore, and where to. */
export interface RestoreRequest extends EngineContext {
  /** Connection URL of the target server with credentials; never logged. */
  targetUrl: string;
  /** Old schema name → new one; schemas that are not named keep theirs. */
  rename: ReadonlyMap<string, string>;
  /** "schema" or "schema.table"; absent is everything. */
  only?: readonly string[];
  /** Allow a target that holds other objects; objects that the restore would meet are refused all the same. */
  intoNonEmpty: boolean;
  /** Also restore accounts and grants. */
  users: boolean;
  /** Connections that load rows at the same time. */
  connections: number;
  /** Nothing else uses the target server, nor replicates from it: its binlog needs none of the restore. */
  scratch: boolean;
  /** What the log is replayed to; it also tells a request from others that load the same full backup. */
  instant?: RestoreInstant;
}

export interface RestorePlan {
  schemas: { from: string; to: string; tables: number; rows: number }[];
  tables: number;
  rows: number;
  /** Bytes to be read from the vault, and what they unfold to. */
  storedBytes: number;
  plainBytes: number;
  notCarriedOver: { object: string; reason: string }[];
  /** The target against the backup's needs. */
  findings: Finding[];
}

/** How fast restores are on two cores that the target's server shares, where nothing was measured. */
export interface RestoreRates {
  /** Of a full backup: rows, their indexes and the comparison. */
  plainBytesPerSecond: number;
  /** Of a replay; what its transactions cost beside their bytes is added. */
  logBytesPerSecond: number;
  transactionsPerSecond: number;
}

/** What one pass over a log tells before it is replayed. */
export interface LogSurvey {
  /** What a replay would stop at, in the log's order, a thousand at most. */
  obstacles: LogObstacle[];
  /** All of them. */
  obstacleCount: number;
  /** The target against what the log needs. */
  findings: Finding[];
}

export interface LogObstacle {
  /** The engine's name of it, or its time. */
  transaction: string;
  reason: string;
  /** The replay can go on without it, where the request says so. */
  canBeLeftOut: boolean;
}

export interface RestoreReport {
  tables: number;
  rows: number;
  plainBytes: number;
  steps: { name: string; seconds: number }[];
  notCarriedOver: { object: string; reason: string }[];
  /** Whether this run went on where an earlier one was interrupted. */
  continued: boolean;
  /** An interrupted run had loaded and compared everything and was replaying: the rows are past the backup. */
  isReplaying: boolean;
}

/** What of the log was replayed, by this run. */
export interface ReplayReport {
  transactions: number;
  logBytes: number;
  /** Of the last transaction that was replayed, by the source's clock; null for none. */
  lastCommitAt: string | null;
  /** The engine's name of it. */
  lastTransaction: string | null;
  /** Statements that were not replayed, by reason, each with its first one. */
  leftOut: { reason: string; statements: number; first: string }[];
  /** Transactions that were prepared and neither committed nor rolled back at that instant. */
  prepared: string[];
  /** What the log made and is not as it was on the source. */
  notCarriedOver: { object: string; reason: string }[];
  checks: Check[];
}

/** Takes the plain rows of a backup, in pieces cut anywhere. */
export interface RowMeasure {
  push(piece: Buffer): void;
  /** What came so far, in the terms of a manifest; `openBytes` lie behind the end of the last row. */
  measured(): { rows: number; fingerprint: string; openBytes: number };
}

/** The verbs that each kind of source has. */
export interface SourceEngine {
  preflight(context: SourceContext): Promise<Finding[]>;
  preflightTarget(context: TargetContext): Promise<Finding[]>;
  backup(context: SourceContext, writer: BackupWriter): Promise<EngineContent>;
  /** Ships the source's log, from where it ends in the vaults. */
  ship(context: ShipContext): Promise<ShipReport>;
  /** Whether the log from `first` to `last`, segments of one chain, goes on from a full backup at that position. */
  placeInLog(full: EngineContent["position"], first: SegmentContent, last: SegmentContent): PlaceInLog;
  /** For a full backup and the log that ends with `last`. Throws USAGE for a text that names no transaction. */
  placeOfTransaction(id: string, full: EngineContent["position"], last: SegmentContent | undefined): PlaceOfTransaction;
  restoreRates: RestoreRates;
  planRestore(request: RestoreRequest, reader: BackupReader): Promise<RestorePlan>;
  /** Which of these full backups an interrupted run of the same request had begun to restore on the target, if any. */
  findBegun(request: RestoreRequest, backups: readonly string[]): Promise<string | undefined>;
  restore(request: RestoreRequest, reader: BackupReader): Promise<RestoreReport>;
  /** Row counts, fingerprints and objects of what stands on the target, against the backup. */
  compare(request: RestoreRequest, reader: BackupReader): Promise<Check[]>;
  /** Reads the log that `replay` would, once, and changes nothing. */
  surveyLog(request: RestoreRequest, reader: BackupReader, log: LogToReplay): Promise<LogSurvey>;
  /**
   * Replays the log on what `restore` loaded, up to the request's instant. Interrupted, the same request goes on where it was:
   * `restore` then says `isReplaying`.
   */
  replay(request: RestoreRequest, reader: BackupReader, log: LogToReplay): Promise<ReplayReport>;
  /** The source's last heartbeat in what was restored; null where it includes none. */
  readHeartbeat(request: RestoreRequest, reader: BackupReader): Promise<string | null>;
  /** Ends a restore after its comparison: what was kept disabled is enabled, and the record of its steps is removed. */
  finishRestore(request: RestoreRequest, reader: BackupReader): Promise<void>;
  /** Removes what unfinished restores of this backup's source made on the target, by their records there, and nothing else. */
  removeRestored(request: RestoreRequest, reader: BackupReader): Promise<void>;
  /** What happened in segments that follow each other, oldest first; `read` opens the data of one. */
  changes(
    query: ChangesQuery,
    segments: readonly ValidSegment[],
    read: (segment: ValidSegment) => AsyncIterable<Buffer>,
  ): Promise<ChangesReport>;
  /** Measures the rows of one blob of a backup, as they lie in it. */
  measureRows(): RowMeasure;
  /**
   * Reads a segment's log event by event and counts the transactions that end in it; undefined where that can't be told without
   * the segment before. Throws for what is no log.
   */
  countTransactions(
    segment: ValidSegment,
    read: (segment: ValidSegment) => AsyncIterable<Buffer>,
  ): Promise<number | undefined>;
  /** Whether a transaction is in the log up to the end of a segment, or was before the start of its chain. */
  holdsTransaction(content: SegmentContent, transaction: string): boolean;
}

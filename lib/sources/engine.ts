import type { ErrorCode } from "../core/error-codes.ts";
import type { Logger } from "../core/log.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Progress } from "../core/progress.ts";
import type { BackupReader } from "../vault/backup-reader.ts";
import type { BackupWriter, EngineContent } from "../vault/backup-writer.ts";

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
}

export interface RestorePlan {
  schemas: { from: string; to: string; tables: number; rows: number }[];
  tables: number;
  rows: number;
  /** Bytes to be read from the vault, and what they unfold to. */
  storedBytes: number;
  plainBytes: number;
  expectedSeconds: number;
  notCarriedOver: { object: string; reason: string }[];
  /** The target against the backup's needs. */
  findings: Finding[];
}

export interface RestoreReport {
  tables: number;
  rows: number;
  plainBytes: number;
  steps: { name: string; seconds: number }[];
  notCarriedOver: { object: string; reason: string }[];
  /** Whether this run went on where an earlier one was interrupted. */
  continued: boolean;
}

/** The verbs that each kind of source has. */
export interface SourceEngine {
  preflight(context: SourceContext): Promise<Finding[]>;
  backup(context: SourceContext, writer: BackupWriter): Promise<EngineContent>;
  planRestore(request: RestoreRequest, reader: BackupReader): Promise<RestorePlan>;
  restore(request: RestoreRequest, reader: BackupReader): Promise<RestoreReport>;
  /** Row counts, fingerprints and objects of what stands on the target, against the backup. */
  compare(request: RestoreRequest, reader: BackupReader): Promise<Check[]>;
  /** Ends a restore after its comparison: what was kept disabled is enabled, and the record of its steps is removed. */
  finishRestore(request: RestoreRequest, reader: BackupReader): Promise<void>;
  /** Removes what an unfinished restore of this backup made on the target, by its record there, and nothing else. */
  removeRestored(request: RestoreRequest, reader: BackupReader): Promise<void>;
}

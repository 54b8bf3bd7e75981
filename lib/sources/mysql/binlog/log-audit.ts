import { GtidSet } from "../gtid-set.ts";
import type { DumpStart } from "./dump-stream.ts";
import { heldAfter, type LogPosition } from "./log-position.ts";

/** What a server says of its binary log, all at about one instant. */
export interface ServerLog {
  serverUuid: string;
  gtidMode: string;
  executed: GtidSet;
  /** What it executed and no longer has in a file. */
  purged: GtidSet;
  /** Its files, oldest first. */
  files: { file: string; sizeBytes: number }[];
}

/** Where a full backup stands in the log. */
export interface FullPosition {
  gtidSet: GtidSet;
  serverUuid: string;
  file: string;
  offset: number;
}

/** Why the log in the vault can't be continued. */
export type GapReason = "first" | "purged" | "reset" | "diverged" | "position-lost" | "incident";

export type ShipStart =
  | { kind: "continue"; before: GtidSet; from: DumpStart }
  /** A new chain: only fulls at or after its start can be followed by it. */
  | { kind: "restart"; reason: GapReason; message: string; before: GtidSet; from: DumpStart };

/** GTIDs name every transaction only where each one has to have one. */
function usesGtids({ gtidMode }: Pick<ServerLog, "gtidMode">): boolean {
  return gtidMode === "ON";
}

/**
 * Decides how shipping goes on from the log's end, `held`: by set algebra where the server has GTIDs, by file and offset
 * otherwise. A gap is never skipped: what comes after it is a chain of its own.
 */
export function auditLog(server: ServerLog, held: LogPosition | undefined, fulls: readonly FullPosition[]): ShipStart {
  if (held === undefined) return firstStart(server, fulls);
  return usesGtids(server) && (held.gtidMode === "ON" || held.added !== "" || held.before !== "")
    ? auditByGtid(server, held)
    : auditByFile(server, held);
}

function auditByGtid(server: ServerLog, held: LogPosition): ShipStart {
  const set = heldAfter(held);
  const missing = server.purged.minus(set);
  const foreign = set.minus(server.executed);
  if (!foreign.isEmpty) {
    const isReset = server.serverUuid === held.serverUuid;
    const message = isReset
      ? `the server was reset or restored: it no longer knows ${summarize(foreign)}`
      : `server ${server.serverUuid} never had ${summarize(foreign)}, which server ${held.serverUuid} had committed`;
    return restart(server, isReset ? "reset" : "diverged", message, server.purged);
  }
  if (!missing.isEmpty) {
    const message = `the server purged ${summarize(missing)} before it was shipped`;
    return restart(server, "purged", message, server.purged.union(set));
  }
  return { kind: "continue", before: set, from: { gtids: set } };
}

function auditByFile(server: ServerLog, held: LogPosition): ShipStart {
  const before = heldAfter(held);
  const { boundary, serverUuid } = held;
  if (serverUuid !== server.serverUuid) {
    const message = `found server ${server.serverUuid}, expected ${serverUuid}; without GTIDs nothing tells what both have`;
    return restart(server, "position-lost", message, server.purged);
  }
  if (boundary === null) return { kind: "continue", before, from: fileStart(server) };
  const file = server.files.find((candidate) => candidate.file === boundary.file);
  if (file === undefined) {
    const message = `the server no longer has ${boundary.file}, which is not shipped to its end`;
    return restart(server, "purged", message, server.purged);
  }
  if (file.sizeBytes < (held.end ?? boundary).offset) {
    const message = `${file.file} is shorter than what was shipped of it: the server was reset`;
    return restart(server, "reset", message, server.purged);
  }
  return { kind: "continue", before, from: { file: boundary.file, position: boundary.offset } };
}

/** Log that is older than every full serves nobody. */
function firstStart(server: ServerLog, fulls: readonly FullPosition[]): ShipStart {
  const message = "the first segment of the log";
  if (usesGtids(server)) {
    const usable = fulls.find((full) => full.gtidSet.contains(server.purged) && server.executed.contains(full.gtidSet));
    return restart(server, "first", message, (usable?.gtidSet ?? GtidSet.empty).union(server.purged));
  }
  const isThere = (full: FullPosition): boolean =>
    full.serverUuid === server.serverUuid && server.files.some(({ file }) => file === full.file);
  const usable = fulls.find(isThere);
  const start = restart(server, "first", message, server.purged);
  return usable === undefined ? start : { ...start, from: { file: usable.file, position: usable.offset } };
}

function restart(server: ServerLog, reason: GapReason, message: string, before: GtidSet): ShipStart {
  return { kind: "restart", reason, message, before, from: usesGtids(server) ? { gtids: before } : fileStart(server) };
}

function fileStart({ files }: ServerLog): DumpStart {
  return { file: files[0]?.file ?? "", position: 4 };
}

function summarize(set: GtidSet): string {
  const text = set.toString();
  return `${set.size} transactions (${text.length > 200 ? `${text.slice(0, 200)}…` : text})`;
}

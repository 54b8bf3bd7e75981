import { describe, expect, it } from "vitest";
import { auditLog, type FullPosition, type ServerLog } from "../../../../lib/sources/mysql/binlog/log-audit.ts";
import type { LogPosition } from "../../../../lib/sources/mysql/binlog/log-position.ts";
import { GtidSet } from "../../../../lib/sources/mysql/gtid-set.ts";

const A = "00000000-0000-0000-0000-00000000000a";
const B = "00000000-0000-0000-0000-00000000000b";

function server(executed: string, purged: string, changes: Partial<ServerLog> = {}): ServerLog {
  const files = [
    { file: "binlog.000008", sizeBytes: 5000 },
    { file: "binlog.000009", sizeBytes: 700 },
  ];
  const sets = { executed: GtidSet.parse(executed), purged: GtidSet.parse(purged) };
  return { serverUuid: A, gtidMode: "ON", files, ...sets, ...changes };
}

function held(before: string, added: string, changes: Partial<LogPosition> = {}): LogPosition {
  const end = { file: "binlog.000008", offset: 4000 };
  const rest = { runs: [], formatDescription: null, resumesTransaction: false, unfinishedBytes: 0 };
  return { serverUuid: A, gtidMode: "ON", before, added, boundary: end, end, ...rest, ...changes };
}

function full(gtidSet: string, offset = 4): FullPosition {
  return { gtidSet: GtidSet.parse(gtidSet), serverUuid: A, file: "binlog.000008", offset };
}

const off = { gtidMode: "OFF" };

describe("the audit of a log by GTIDs", () => {
  it("goes on where the server has everything that the vault lacks", () => {
    const start = auditLog(server(`${A}:1-20`, `${A}:1-9`), held(`${A}:1-5`, `${A}:6-12`), []);
    expect(start.kind).toBe("continue");
    expect(start.before.toString()).toBe(`${A}:1-12`);
  });

  it("goes on at another server that has all that the vault has", () => {
    const start = auditLog(server(`${A}:1-12,${B}:1-3`, "", { serverUuid: B }), held(`${A}:1-5`, `${A}:6-12`), []);
    expect(start.kind).toBe("continue");
  });

  it("finds a gap in the middle of a set, and names it", () => {
    const start = auditLog(server(`${A}:1-20`, `${A}:1-15`), held(`${A}:1-10:12`, ""), []);
    expect(start).toMatchObject({ kind: "restart", reason: "purged" });
    expect(start.kind === "restart" && start.message).toContain(`4 transactions (${A}:11:13-15)`);
    expect(start.before.toString()).toBe(`${A}:1-15`);
  });

  it("keeps what the vault holds beyond the purge out of the new chain", () => {
    const start = auditLog(server(`${A}:1-20`, `${A}:1-5`), held(`${A}:2-12`, ""), []);
    expect(start).toMatchObject({ reason: "purged" });
    expect(start.before.toString()).toBe(`${A}:1-12`);
  });

  it("finds a gap in tagged transactions", () => {
    const start = auditLog(server(`${A}:1-9:tag:1-5`, `${A}:1-9:tag:1-2`), held(`${A}:1-9:tag:1`, ""), []);
    expect(start).toMatchObject({ kind: "restart", reason: "purged" });
  });

  it("tells a reset from a server that never had the transactions", () => {
    expect(auditLog(server(`${A}:1-2`, ""), held(`${A}:1-12`, ""), [])).toMatchObject({ reason: "reset" });
    const other = server(`${A}:1-11,${B}:1-5`, "", { serverUuid: B });
    expect(auditLog(other, held(`${A}:1-12`, ""), [])).toMatchObject({ reason: "diverged" });
  });

  it("starts at the oldest full backup that the server's log still leads on from", () => {
    const fulls = [full(`${A}:1-3`), full(`${A}:1-9`), full(`${A}:1-15`)];
    const start = auditLog(server(`${A}:1-20`, `${A}:1-5`), undefined, fulls);
    expect(start).toMatchObject({ kind: "restart", reason: "first" });
    expect(start.before.toString()).toBe(`${A}:1-9`);
    expect(auditLog(server(`${A}:1-20`, `${A}:1-5`), undefined, []).before.toString()).toBe(`${A}:1-5`);
  });
});

describe("the audit of a log by file and offset", () => {
  it("goes on at the end of the last whole transaction", () => {
    const boundary = { file: "binlog.000008", offset: 3900 };
    const start = auditLog(server("", "", off), held("", "", { ...off, boundary }), []);
    expect(start).toMatchObject({ kind: "continue", from: { file: "binlog.000008", position: 3900 } });
  });

  it("restarts where the file is gone, is shorter, or belongs to another server", () => {
    const gone = { file: "binlog.000007", offset: 100 };
    const longer = { file: "binlog.000009", offset: 900 };
    const audit = (position: Partial<LogPosition>) =>
      auditLog(server("", "", off), held("", "", { ...off, ...position }), []);
    expect(audit({ boundary: gone, end: gone })).toMatchObject({ reason: "purged" });
    expect(audit({ boundary: longer, end: longer })).toMatchObject({ reason: "reset" });
    expect(audit({ serverUuid: B })).toMatchObject({ reason: "position-lost", from: { file: "binlog.000008" } });
  });

  it("starts at a full backup whose file is still there", () => {
    const start = auditLog(server("", "", off), undefined, [full("", 1234)]);
    expect(start).toMatchObject({ reason: "first", from: { file: "binlog.000008", position: 1234 } });
  });
});

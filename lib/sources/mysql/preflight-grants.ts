import type { SourcePolicy } from "../../core/policy-schema.ts";
import type { Finding } from "../engine.ts";
import type { MysqlConnection } from "./connection.ts";
import { HEARTBEAT_PRIVILEGES, HEARTBEAT_SCHEMA } from "./heartbeat-table.ts";
import { type Privileges, readPrivileges } from "./privileges.ts";
import { quoteName } from "./quoting.ts";

/** What the server hides, without an error, from an account that lacks it: a backup would be silently incomplete. */
const ON_EACH_SCHEMA = ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT"];

/** What a full backup can do without. */
const ADVISED: readonly [privilege: string, reason: string][] = [
  [
    "RELOAD",
    "holds commits back for the moment in which the snapshot begins, instead of trying until none comes between",
  ],
  ["BACKUP_ADMIN", "makes schema changes wait for the end of the backup, instead of failing it"],
];

/** What shipping reads the binlog by. */
const SHIPPING = "REPLICATION SLAVE";

/** One finding for each privilege that the source's jobs need or are better off with. */
export async function grantFindings(
  connection: MysqlConnection,
  schemas: readonly string[],
  source: SourcePolicy,
): Promise<Finding[]> {
  const privileges = await readPrivileges(connection);
  const [row] = await connection.query<"account">(
    "SELECT CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@', QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1))) AS account",
  );
  const account = row?.account ?? "";
  const everywhere = (privilege: string): Finding =>
    globalFinding(privilege, privileges.everywhere(privilege), account);
  return [
    ...ON_EACH_SCHEMA.map((privilege) => schemaFinding(privilege, schemas, privileges, account)),
    // Whoever may SELECT everywhere sees the texts of routines as well.
    globalFinding("SHOW_ROUTINE", privileges.everywhere("SHOW_ROUTINE") || privileges.everywhere("SELECT"), account),
    { ...everywhere("REPLICATION CLIENT"), code: "SOURCE_POSITION_UNREADABLE" },
    ...ADVISED.map(([privilege, reason]) => asAdvised(everywhere(privilege), reason)),
    source.schedule.ship === undefined
      ? asAdvised(everywhere(SHIPPING), "lets the binlog be shipped between full backups")
      : everywhere(SHIPPING),
    ...heartbeatPrivileges(source).map((privilege) =>
      schemaFinding(privilege, [HEARTBEAT_SCHEMA], privileges, account),
    ),
    ...(source.users ? [schemaFinding("SELECT", ["mysql"], privileges, account)] : []),
  ];
}

function heartbeatPrivileges({ schedule, log }: SourcePolicy): readonly string[] {
  return schedule.ship !== undefined && log.heartbeatTable ? HEARTBEAT_PRIVILEGES : [];
}

function asAdvised(finding: Finding, reason: string): Finding {
  return { ...finding, required: `${finding.required}: ${reason}`, level: "advised" };
}

function schemaFinding(
  privilege: string,
  schemas: readonly string[],
  privileges: Privileges,
  account: string,
): Finding {
  const missing = schemas.filter((schema) => !privileges.on(schema, privilege));
  return {
    setting: `grant ${privilege}`,
    found: missing.length === 0 ? "granted" : `missing on ${missing.join(", ")}`,
    required: `on ${schemas.join(", ")}`,
    ok: missing.length === 0,
    level: "required",
    change: missing.map((schema) => `GRANT ${privilege} ON ${pattern(schema)}.* TO ${account};`).join(" "),
    code: "SOURCE_GRANT_MISSING",
  };
}

function globalFinding(privilege: string, ok: boolean, account: string): Finding {
  return {
    setting: `grant ${privilege}`,
    found: ok ? "granted" : "missing",
    required: "on *.*",
    ok,
    level: "required",
    change: `GRANT ${privilege} ON *.* TO ${account};`,
    code: "SOURCE_GRANT_MISSING",
  };
}

/** A schema in GRANT is a LIKE pattern. */
function pattern(schema: string): string {
  return quoteName(schema.replaceAll(/[\\_%]/g, String.raw`\$&`));
}

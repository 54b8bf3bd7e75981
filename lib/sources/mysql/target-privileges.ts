import type { Finding } from "../engine.ts";
import type { MysqlConnection } from "./connection.ts";
import { type Privileges, readPrivileges } from "./privileges.ts";
import { quoteList, quoteName } from "./quoting.ts";
import { RECORD_PREFIX } from "./restore-record.ts";
import { refusalOf } from "./restore-session.ts";
import { type RestoreSelection, targetSchemas } from "./selection.ts";

const ALWAYS = ["SELECT", "INSERT", "CREATE", "ALTER", "INDEX", "DROP"];
const ON_RECORD = ["SELECT", "INSERT", "UPDATE", "CREATE", "DROP"];
/** LIKE pattern of the schemas that keep the record of a restore. */
const RECORD_PATTERN = `${RECORD_PREFIX.replaceAll("_", String.raw`\_`)}%`;

/** The privileges that a selection needs on the target, with the GRANT that gives what is missing. */
export async function privilegeFindings(connection: MysqlConnection, selection: RestoreSelection): Promise<Finding[]> {
  const privileges = await readPrivileges(connection);
  const { tables, views, routines, triggers, events } = selection;
  const onSchemas = [
    ...ALWAYS,
    ...(tables.some(({ parts }) => parts.foreignKeys.length > 0) ? ["REFERENCES"] : []),
    ...(views.length > 0 ? ["CREATE VIEW", "SHOW VIEW"] : []),
    ...(routines.length > 0 ? ["CREATE ROUTINE", "ALTER ROUTINE"] : []),
    ...(triggers.length > 0 ? ["TRIGGER"] : []),
    ...(events.length > 0 ? ["EVENT"] : []),
  ];
  const definers = await definerNeeds(connection, selection, privileges);
  const everywhere = [...definers.privileges, ...(selection.users.length > 0 ? ["CREATE USER"] : [])];
  const missing = [
    ...targetSchemas(selection).flatMap((schema) =>
      grantOf(
        onSchemas.filter((privilege) => !privileges.on(schema, privilege)),
        `${quoteName(schema)}.*`,
      ),
    ),
    ...grantOf(
      ON_RECORD.filter((privilege) => !privileges.on(`${RECORD_PREFIX}0`, privilege)),
      `${quoteName(RECORD_PATTERN)}.*`,
    ),
    ...grantOf(
      everywhere.filter((privilege) => !privileges.everywhere(privilege)),
      "*.*",
    ),
  ];
  const finding: Finding = {
    setting: "privileges",
    found: missing.length === 0 ? "all there" : `without ${missing.join(", and ")}`,
    required: [...onSchemas, ...everywhere].join(", "),
    ok: missing.length === 0,
    level: "required",
    code: "SOURCE_GRANT_MISSING",
  };
  if (missing.length > 0) finding.change = missing.map((grant) => `GRANT ${grant} TO CURRENT_USER()`).join("; ");
  return [finding, ...definers.findings];
}

function grantOf(lacking: string[], place: string): string[] {
  return lacking.length === 0 ? [] : [`${lacking.join(", ")} ON ${place}`];
}

/** What it takes to make programs in the name of others: of accounts that are there, are not, or may do everything. */
async function definerNeeds(
  connection: MysqlConnection,
  selection: RestoreSelection,
  privileges: Privileges,
): Promise<{ privileges: string[]; findings: Finding[] }> {
  const [me] = await connection.query<"account">("SELECT CURRENT_USER() AS account");
  const { views, routines, triggers, events, users } = selection;
  const all = new Set([...views, ...routines, ...triggers, ...events].map(({ definer }) => definer));
  const others = [...all].filter((definer) => definer !== me?.account);
  // SUPER, on its way out, includes all of this.
  if (others.length === 0 || privileges.everywhere("SUPER")) return { privileges: [], findings: [] };
  const restored = new Set(users.map(({ user, host }) => `${user}@${host}`));
  let present = new Map<string, boolean>();
  const refusal = await refusalOf(async () => {
    present = await readAccounts(connection, others);
  });
  if (refusal !== undefined) return { privileges: ["SET_ANY_DEFINER"], findings: [unknownDefiners(others)] };
  const isMissing = others.some((definer) => !present.has(definer) && !restored.has(definer));
  return {
    privileges: [
      "SET_ANY_DEFINER",
      ...(isMissing ? ["ALLOW_NONEXISTENT_DEFINER"] : []),
      ...([...present.values()].includes(true) ? ["SYSTEM_USER"] : []),
    ],
    findings: [],
  };
}

/** The accounts of that name on the target, each with whether it is a system account. */
async function readAccounts(connection: MysqlConnection, accounts: string[]): Promise<Map<string, boolean>> {
  const rows = await connection.query<"account" | "isSystem">(
    `SELECT CONCAT(u.user, '@', u.host) AS account, g.priv IS NOT NULL AS isSystem
      FROM mysql.user u LEFT JOIN mysql.global_grants g ON g.user = u.user AND g.host = u.host AND g.priv = 'SYSTEM_USER'
      WHERE CONCAT(u.user, '@', u.host) IN (${quoteList(accounts)})`,
  );
  return new Map(rows.map(({ account, isSystem }) => [account ?? "", isSystem === "1"]));
}

function unknownDefiners(definers: string[]): Finding {
  return {
    setting: "definers",
    found: "mysql.user can't be read",
    required: `accounts on the target that are no system accounts: ${definers.join(", ")}`,
    ok: "unknown",
    level: "advised",
    change: "GRANT SELECT ON mysql.* TO CURRENT_USER(), ALLOW_NONEXISTENT_DEFINER and SYSTEM_USER ON *.* where needed",
  };
}

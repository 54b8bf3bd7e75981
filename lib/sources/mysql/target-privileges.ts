import type { Finding } from "../engine.ts";
import type { MysqlConnection } from "./connection.ts";
import type { Privileges } from "./privileges.ts";
import { quoteAccount, quoteList, quoteName } from "./quoting.ts";
import { RECORD_PREFIX } from "./restore-record.ts";
import { refusalOf } from "./restore-session.ts";
import { type RestoreSelection, targetSchemas } from "./selection.ts";

const ALWAYS = ["SELECT", "INSERT", "CREATE", "ALTER", "INDEX", "DROP"];
const ON_RECORD = ["SELECT", "INSERT", "UPDATE", "CREATE", "DROP"];
/** LIKE pattern of the schemas that keep the record of a restore. */
const RECORD_PATTERN = `${RECORD_PREFIX.replaceAll("_", String.raw`\_`)}%`;

/** The privileges that a selection needs on the target, with the GRANT that gives what is missing. */
export async function privilegeFindings(
  connection: MysqlConnection,
  privileges: Privileges,
  selection: RestoreSelection,
): Promise<Finding[]> {
  const { tables, views, routines, triggers, events } = selection;
  const onSchemas = [
    ...ALWAYS,
    ...(tables.some(({ parts }) => parts.foreignKeys.length > 0) ? ["REFERENCES"] : []),
    ...(views.length > 0 ? ["CREATE VIEW", "SHOW VIEW"] : []),
    ...(routines.length > 0 ? ["CREATE ROUTINE", "ALTER ROUTINE"] : []),
    ...(triggers.length > 0 ? ["TRIGGER"] : []),
    ...(events.length > 0 ? ["EVENT"] : []),
  ];
  const account = await readAccount(connection);
  const { users } = selection;
  const programs = [...views, ...routines, ...triggers, ...events];
  const definers = await definerNeeds(
    connection,
    account,
    new Set(programs.map(({ definer }) => definer)),
    new Set(users.map(({ user, host }) => `${user}@${host}`)),
    privileges,
  );
  const places = targetSchemas(selection).map((schema) => ({ schema, privileges: onSchemas }));
  const record = { schema: `${RECORD_PREFIX}0`, shown: RECORD_PATTERN, privileges: ON_RECORD };
  const everywhere = [...definers.privileges, ...(users.length > 0 ? ["CREATE USER"] : [])];
  const finding = grantFinding("privileges", account, { places: [...places, record], everywhere }, privileges);
  return [{ ...finding, required: [...onSchemas, ...everywhere].join(", ") }, ...definers.findings];
}

export interface WantedPrivileges {
  /** `shown` is what to write into the GRANT; default: the schema's own name. */
  places: readonly { schema: string; shown?: string; privileges: readonly string[] }[];
  everywhere: readonly string[];
}

/** Whether an account has these privileges, with the GRANT that gives what is missing. */
export function grantFinding(
  setting: string,
  account: string,
  { places, everywhere }: WantedPrivileges,
  privileges: Privileges,
): Finding {
  const missing = [
    ...places.flatMap(({ schema, shown = schema, privileges: wanted }) =>
      grantOf(
        wanted.filter((privilege) => !privileges.on(schema, privilege)),
        `${quoteName(shown)}.*`,
      ),
    ),
    ...grantOf(
      everywhere.filter((privilege) => !privileges.everywhere(privilege)),
      "*.*",
    ),
  ];
  return {
    setting,
    found: missing.length === 0 ? "all there" : `without ${missing.join(", and ")}`,
    required: [...new Set([...places.flatMap((place) => place.privileges), ...everywhere])].join(", "),
    ok: missing.length === 0,
    level: "required",
    code: "SOURCE_GRANT_MISSING",
    ...(missing.length > 0 && {
      change: missing.map((grant) => `GRANT ${grant} TO ${quoteAccount(account)}`).join("; "),
    }),
  };
}

export async function readAccount(connection: MysqlConnection): Promise<string> {
  const [me] = await connection.query<"account">("SELECT CURRENT_USER() AS account");
  return me?.account ?? "";
}

function grantOf(lacking: string[], place: string): string[] {
  return lacking.length === 0 ? [] : [`${lacking.join(", ")} ON ${place}`];
}

/** What it takes to make programs in the name of others: of accounts that are there, are not, or may do everything. */
export async function definerNeeds(
  connection: MysqlConnection,
  account: string,
  all: ReadonlySet<string>,
  restored: ReadonlySet<string>,
  privileges: Privileges,
): Promise<{ privileges: string[]; findings: Finding[] }> {
  const others = [...all].filter((definer) => definer !== account);
  // SUPER, on its way out, includes all of this.
  if (others.length === 0 || privileges.everywhere("SUPER")) return { privileges: [], findings: [] };
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
    change:
      "Grant SELECT ON mysql.*, and ALLOW_NONEXISTENT_DEFINER and SYSTEM_USER ON *.* where these definers need it",
  };
}

import { describe, expect, it } from "vitest";
import { RETENTION_DEFAULTS } from "../../../lib/core/retention-policy.ts";
import { parseDuration } from "../../../lib/core/time.ts";
import { testSource } from "../../support/policies.ts";

/** The lines of the two requirement documents that say how long something is kept, word for word. */
const ADR_006 = `
| MySQL (full) | Logical dump | Diario (off-peak) | 7 días | Storage primario + offsite | AES-256 en reposo |
| MySQL (binlog) | Continuo | Cada ≤ 15 min | 7 días | Storage primario + offsite | AES-256 |
| MySQL (snapshot VM/volumen) | Snapshot | Semanal | 4 semanas | Offsite (región diferente) | Proveedor |
| Redis (RDB) | Snapshot | Diario | 3 días | Primario | AES-256 |
| Infra/Configs | Tarball | Semanal | 4 semanas | Repo privado + offsite | AES-256 |
| Docs/ADRs | Tarball | Diario | 14 días | Repo + offsite | AES-256 |
| Secrets | Export Vault | Al cambiar | 6 meses | Bóveda secundaria | AES-256 + KMS |
`;
const CONTRACT_POSTGRES = "- Retención: 30 días";
const CONTRACT_LOGS = "- Retención: 90 días (30 días Hot tier, 60 días Cool tier)";
const CONTRACT_AUDIT = "- Audit Logs: Retención de 2 años en Azure Log Analytics";

/** The longest that the words can mean: six months may have 184 days, and two years a leap day. */
const LONGEST_DAYS = { días: 1, semanas: 7, meses: 184 / 6, años: 731 / 2 } as const;

function daysIn(text: string, place = 0): number {
  const [, amount, unit] = [...text.matchAll(/(\d+) (días|semanas|meses|años)/g)][place] ?? [];
  return Number(amount) * LONGEST_DAYS[unit as keyof typeof LONGEST_DAYS];
}

function adr(item: string): number {
  const line = ADR_006.split("\n").find((row) => row.startsWith(`| ${item} |`)) ?? "";
  return daysIn(line.split("|")[4] ?? "");
}

const inDays = (duration: string) => parseDuration(duration) / 86_400_000;

describe("the defaults of retention", () => {
  it.each([
    ["MySQL (full)", RETENTION_DEFAULTS.mysql.full],
    ["MySQL (binlog)", RETENTION_DEFAULTS.mysql.log],
    ["MySQL (snapshot VM/volumen)", RETENTION_DEFAULTS.disk.full],
    ["Redis (RDB)", RETENTION_DEFAULTS.redis.full],
    ["Infra/Configs", RETENTION_DEFAULTS.infrastructure.full],
    ["Docs/ADRs", RETENTION_DEFAULTS.documents.full],
    ["Secrets", RETENTION_DEFAULTS.secrets.full],
  ])("keep %s as long as ADR-006 says", (item, duration) => {
    expect(inDays(duration)).toBe(adr(item));
  });

  it("keep databases, execution logs and audit logs as long as the continuity contract says", () => {
    expect(inDays(RETENTION_DEFAULTS.postgres.full)).toBe(daysIn(CONTRACT_POSTGRES));
    expect(inDays(RETENTION_DEFAULTS["execution-logs"].full)).toBe(daysIn(CONTRACT_LOGS));
    expect(inDays(RETENTION_DEFAULTS["execution-logs"].coolAfter)).toBe(daysIn(CONTRACT_LOGS, 1));
    expect(daysIn(CONTRACT_LOGS, 1) + daysIn(CONTRACT_LOGS, 2)).toBe(daysIn(CONTRACT_LOGS));
    expect(inDays(RETENTION_DEFAULTS["audit-logs"].full)).toBe(daysIn(CONTRACT_AUDIT));
  });

  it("are those of a source whose policy says nothing, or only a part", () => {
    expect(testSource().retention).toMatchObject({ full: "7d", log: "7d", receipts: "731d", minimumProven: 2 });
    expect(testSource({ retention: { full: "30d" } }).retention).toMatchObject({ full: "30d", log: "7d" });
    expect(testSource().schedule.retention).toBe("0 0 4 * * *");
  });
});

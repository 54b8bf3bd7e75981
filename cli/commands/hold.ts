import { AppError } from "../../lib/core/errors.ts";
import { type HoldRequest, type LegalHold, listHolds, setHold } from "../../lib/jobs/hold.ts";
import { parseRestorePoint } from "../../lib/restore/choose.ts";
import type { Hold } from "../../lib/vault/hold.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { formatTable } from "../table.ts";

interface HoldFlags extends CommonOptions {
  reason?: string;
  until?: string;
  release?: true;
  legalHold?: true;
}

export const addHold: AddCommand = (program, state) => {
  program
    .command("hold")
    .description("keep a full backup whatever its age, or release it; without a backup, show what is held")
    .argument("<source>", "name of a source in the policy")
    .argument("[backup]", "id of the full backup")
    .option("--reason <text>", "why; it goes into the signed record")
    .option("--until <time>", "the hold ends by itself then; UTC, for instance 2027-06-30T00:00:00Z")
    .option("--release", "end the hold")
    .option("--legal-hold", "also set, or clear, the storage's legal hold on every blob, and read it back")
    .action(async (source: string, backup: string | undefined, flags: HoldFlags) => {
      const context = await openCommandContext(flags);
      if (backup === undefined) {
        const holds = await listHolds(context, source);
        print(flags, { source, holds }, describeHolds(holds));
        return;
      }
      const { record, vaults, legalHolds } = await setHold(context, toRequest(source, backup, flags));
      const missed = vaults.filter((vault) => vault.state === "behind");
      print(flags, { hold: record, vaults, legalHolds }, [
        `${backup} is ${record.action === "release" ? "released" : `held until ${record.until ?? "it is released"}`}`,
        ...legalHolds.map(describeLegalHold),
        ...missed.map(({ vault, error }) => `MISSED  ${vault}: ${error.code}: ${error.message}`),
      ]);
      const isMissing = legalHolds.some(({ legalHold }) => legalHold !== (record.action === "hold"));
      if (missed.length > 0 || isMissing) state.exitCode = 1;
    });
};

function toRequest(source: string, backup: string, { reason, until, release, legalHold }: HoldFlags): HoldRequest {
  if (reason === undefined || reason.trim() === "")
    throw new AppError("USAGE", "--reason: expected a text, found none");
  if (release && until !== undefined) throw new AppError("USAGE", "--until: a release takes no time");
  return {
    source,
    backup,
    action: release ? "release" : "hold",
    reason,
    until: until === undefined ? null : time(until),
    legalHold: legalHold ?? false,
  };
}

function time(text: string): string {
  const point = parseRestorePoint(text);
  if (point.kind === "time") return new Date(point.at).toISOString();
  throw new AppError("USAGE", `--until: found "${text}", expected a time such as 2027-06-30T00:00:00Z`);
}

function describeLegalHold({ vault, legalHold, error }: LegalHold): string {
  if (error) return `  ${vault}: NO LEGAL HOLD: ${error.code}: ${error.message}`;
  return `  ${vault}: ${legalHold ? "every blob is under a legal hold" : "no legal hold"}`;
}

function describeHolds(holds: readonly Hold[]): string[] {
  if (holds.length === 0) return ["nothing is held"];
  const rows = holds.map(({ backup, since, until, reason }) => [backup, since, until ?? "-", reason]);
  return formatTable(["backup", "held since", "until", "reason"], rows);
}

import { AppError } from "../../lib/core/errors.ts";
import { type HoldRequest, listHolds, setHold } from "../../lib/jobs/hold.ts";
import { parseRestorePoint } from "../../lib/restore/choose.ts";
import type { Hold } from "../../lib/vault/hold.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { formatTable } from "../table.ts";

interface HoldFlags extends CommonOptions {
  reason?: string;
  until?: string;
  release?: true;
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
    .action(async (source: string, backup: string | undefined, flags: HoldFlags) => {
      const context = await openCommandContext(flags);
      if (backup === undefined) {
        const holds = await listHolds(context, source);
        print(flags, { source, holds }, describeHolds(holds));
        return;
      }
      const { record, vaults } = await setHold(context, toRequest(source, backup, flags));
      const missed = vaults.filter((vault) => vault.state === "behind");
      print(flags, { hold: record, vaults }, [
        `${backup} is ${record.action === "release" ? "released" : `held until ${record.until ?? "it is released"}`}`,
        ...missed.map(({ vault, error }) => `MISSED  ${vault}: ${error.code}: ${error.message}`),
      ]);
      if (missed.length > 0) state.exitCode = 1;
    });
};

function toRequest(source: string, backup: string, { reason, until, release }: HoldFlags): HoldRequest {
  if (reason === undefined || reason.trim() === "")
    throw new AppError("USAGE", "--reason: expected a text, found none");
  if (release && until !== undefined) throw new AppError("USAGE", "--until: a release takes no time");
  return {
    source,
    backup,
    action: release ? "release" : "hold",
    reason,
    until: until === undefined ? null : time(until),
  };
}

function time(text: string): string {
  const point = parseRestorePoint(text);
  if (point.kind === "time") return new Date(point.at).toISOString();
  throw new AppError("USAGE", `--until: found "${text}", expected a time such as 2027-06-30T00:00:00Z`);
}

function describeHolds(holds: readonly Hold[]): string[] {
  if (holds.length === 0) return ["nothing is held"];
  const rows = holds.map(({ backup, since, until, reason }) => [backup, since, until ?? "-", reason]);
  return formatTable(["backup", "held since", "until", "reason"], rows);
}

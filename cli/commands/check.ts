import { checkEverything, type CheckReport } from "../../lib/jobs/check.ts";
import type { ErrorReport } from "../../lib/core/errors.ts";
import type { Finding } from "../../lib/sources/engine.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";

export const addCheck: AddCommand = (program, state) => {
  program
    .command("check")
    .description("look at policy, keys, vaults and every requirement of the sources, all at once")
    .argument("[source]", "only this source")
    .action(async (source: string | undefined, options: CommonOptions) => {
      const report = await checkEverything(await openCommandContext(options), source);
      print(options, report, describeCheck(report));
      if (!report.ok) state.exitCode = 1;
    });
};

function describeCheck(report: CheckReport): string[] {
  return [
    "keys",
    ...report.keys.flatMap(({ key, keyId, error }) => describePart(keyId ? `${key} ${keyId}` : key, error)),
    "vaults",
    ...report.vaults.flatMap(({ vault, error }) => describePart(vault, error)),
    ...report.sources.flatMap((part) => describeServer(`source ${part.source}`, part)),
    ...report.targets.flatMap((part) => describeServer(`target of ${part.source}'s restore test ${part.test}`, part)),
    ...report.notYet.map((text) => `not yet  ${text}`),
    report.ok ? "everything required is there" : "something required is missing",
  ];
}

function describePart(name: string, error: ErrorReport | undefined): string[] {
  if (!error) return [`  ok       ${name}`];
  return [`  FAILED   ${name}: ${error.code}: ${error.message}`, ...(error.hint ? [`           ${error.hint}`] : [])];
}

function describeServer(title: string, { findings, error }: { findings: Finding[]; error?: ErrorReport }): string[] {
  return [title, ...(error ? describePart("connection", error) : []), ...findings.flatMap(describeFinding)];
}

function describeFinding({ setting, found, required, ok, level, change }: Finding): string[] {
  const verdict =
    ok === true ? "ok      " : ok === "unknown" ? "unknown " : level === "required" ? "FAILED  " : "advised ";
  const line = `  ${verdict} ${setting}: found ${found}, ${level} ${required}`;
  return ok === true || !change ? [line] : [line, `           ${change}`];
}

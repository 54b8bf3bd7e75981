import { checkEverything, type CheckReport } from "../../lib/jobs/check.ts";
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
  const vaults = report.vaults.map(({ vault, error }) =>
    error ? `  FAILED   ${vault}: ${error.code}: ${error.message}` : `  ok       ${vault}`,
  );
  const sources = report.sources.flatMap(({ source, findings, error }) => [
    `source ${source}`,
    ...(error
      ? [`  FAILED   ${error.code}: ${error.message}`, ...(error.hint ? [`           ${error.hint}`] : [])]
      : []),
    ...findings.flatMap(describeFinding),
  ]);
  return [
    "vaults",
    ...vaults,
    ...sources,
    report.ok ? "everything required is there" : "something required is missing",
  ];
}

function describeFinding({ setting, found, required, ok, level, change }: Finding): string[] {
  const verdict =
    ok === true ? "ok      " : ok === "unknown" ? "unknown " : level === "required" ? "FAILED  " : "advised ";
  const line = `  ${verdict} ${setting}: found ${found}, ${level} ${required}`;
  return ok === true || !change ? [line] : [line, `           ${change}`];
}

import { InvalidArgumentError } from "commander";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { describeDrill } from "../describe-restore.ts";
import { terminalProgress } from "../progress.ts";
import { runNow } from "../run-now.ts";

type TestKind = "from-zero" | "pitr";

export const addDrill: AddCommand = (program) => {
  program
    .command("drill")
    .description(
      "restore the newest instant onto the scratch server of the policy, compare, measure against the promises, and tear down",
    )
    .argument("<source>", "name of a source in the policy")
    .option("--kind <kind>", "which restore test of the policy: from-zero or pitr", parseKind, "from-zero")
    .action(async (source: string, options: CommonOptions & { kind: TestKind }) => {
      const context = await openCommandContext(options);
      using progress = terminalProgress(process.stderr);
      const message = { v: 1, job: "drill", test: options.kind, source, requestedBy: "operator" } as const;
      const receipt = await runNow(message, context, progress.report);
      progress[Symbol.dispose]();
      print(options, receipt, describeDrill(receipt));
    });
};

function parseKind(text: string): TestKind {
  if (text === "from-zero" || text === "pitr") return text;
  throw new InvalidArgumentError("expected from-zero or pitr");
}

import { Command, CommanderError, Option } from "commander";
import { exitCodeOf, reportError, toAppError } from "../lib/core/errors.ts";
import { maskSecrets } from "../lib/core/log.ts";
import { addBackup } from "./commands/backup.ts";
import { addCalendar, addExercise } from "./commands/calendar.ts";
import { addChanges } from "./commands/changes.ts";
import { addCheck } from "./commands/check.ts";
import { addCopy } from "./commands/copy.ts";
import { addCompact } from "./commands/compact.ts";
import { addDrill } from "./commands/drill.ts";
import { addContract, addEvidence } from "./commands/evidence.ts";
import { addExport } from "./commands/export.ts";
import { addHold } from "./commands/hold.ts";
import { addKeys } from "./commands/keys.ts";
import { addList } from "./commands/list.ts";
import { addReceipt, addReceipts } from "./commands/receipts.ts";
import { addRestore } from "./commands/restore.ts";
import { addRetention } from "./commands/retention.ts";
import { addShip } from "./commands/ship.ts";
import { addVerify } from "./commands/verify.ts";
import { addWindow } from "./commands/window.ts";
import { thisTool } from "../lib/core/tool.ts";

/** Exit codes: 0 done, 1 failed or breached, 2 wrong use or policy. */
export type ExitCode = 0 | 1 | 2;

/** What a command gives back: its exit code, where it is not simply 0. */
export interface CommandState {
  exitCode: ExitCode;
}

/** Runs one command line (without node and script) and returns its exit code. Never throws. */
export async function runCommandLine(args: readonly string[]): Promise<ExitCode> {
  const state: CommandState = { exitCode: 0 };
  const program = buildProgram(state);
  try {
    await program.parseAsync(args, { from: "user" });
    return state.exitCode;
  } catch (error: unknown) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return showFailure(error, args.includes("--json"));
  }
}

function buildProgram(state: CommandState): Command {
  const program = new Command("resguardo")
    .description("Backups of databases on Azure that prove themselves by real restores.")
    .version(thisTool({}).version)
    .exitOverride()
    .showHelpAfterError("(resguardo --help shows the commands; resguardo COMMAND --help its options)")
    .addHelpText("after", "\nExit codes: 0 done, 1 failed or breached, 2 wrong use or policy.");
  for (const add of [
    addCheck,
    addKeys,
    addBackup,
    addShip,
    addCopy,
    addExport,
    addList,
    addWindow,
    addChanges,
    addVerify,
    addCompact,
    addRestore,
    addDrill,
    addRetention,
    addHold,
    addReceipt,
    addReceipts,
    addCalendar,
    addExercise,
    addEvidence,
    addContract,
  ]) {
    add(program, state);
  }
  for (const command of program.commands) {
    command.addOption(new Option("--json", "print one JSON document on standard output"));
    command.addOption(new Option("--policy <file>", "policy file; default: the setting RESGUARDO_POLICY"));
  }
  return program;
}

function showFailure(error: unknown, asJson: boolean): ExitCode {
  const appError = toAppError(error);
  const report = reportError(appError);
  const message = maskSecrets(report.message);
  if (appError.kind === "usage") report.hint ??= "`resguardo COMMAND --help` shows what a command takes.";
  if (asJson) process.stdout.write(`${JSON.stringify({ error: { ...report, message } }, undefined, 2)}\n`);
  process.stderr.write(`resguardo: ${report.code}: ${message}\n${report.hint ? `${maskSecrets(report.hint)}\n` : ""}`);
  if (appError.kind === "invariant" && appError.cause instanceof Error)
    process.stderr.write(`${appError.cause.stack}\n`);
  return exitCodeOf(appError);
}

import { AppError } from "../../lib/core/errors.ts";
import { parseRestorePoint } from "../../lib/restore/choose.ts";
import { stopping } from "../../lib/restore/replayable.ts";
import { planRestore, restoreSource, type RestoreOptions } from "../../lib/restore/restore-source.ts";
import { collect, commandLogger, interruptSignal, print, type AddCommand } from "../command.ts";
import { describePlan, describeRestore } from "../describe-restore.ts";
import { terminalProgress } from "../progress.ts";
import {
  addReadOptions,
  describeOpened,
  fromEnvironment,
  openOneSource,
  type ReadOptions,
  reportOf,
} from "../source-context.ts";

interface RestoreFlags extends ReadOptions {
  to?: string;
  backup?: string;
  target: string;
  as?: string[];
  tables?: string[];
  users?: true;
  intoNonEmpty?: true;
  connections: string;
  scratch?: true;
  leaveOut?: true;
  dryRun?: true;
}

export const addRestore: AddCommand = (program, state) => {
  const command = program
    .command("restore")
    .description("restore a source, or a part of it, and compare it with what was backed up")
    .argument("[source]", "name of a source in the policy")
    .option(
      "--to <point>",
      'latest, a time such as 2026-11-21T03:00:00.123456Z, before:GTID or after:GTID (default: "latest")',
    )
    .option("--backup <id>", "take this full backup and none of the log, instead of --to")
    .requiredOption(
      "--target <url>",
      "server to restore into: a URL, or env:NAME to keep the password off the command line",
    )
    .option("--as <old=new>", "restore schema OLD under the name NEW; repeatable", collect)
    .option("--tables <names>", "only these schemas or schema.table, separated by commas; repeatable", collect)
    .option("--users", "also restore accounts and grants")
    .option("--into-non-empty", "allow a target that holds other schemas; never overwrites an object")
    .option("--connections <number>", "connections that load rows at the same time", "2")
    .option("--scratch", "nothing else uses the target server: load without its binary log")
    .option("--leave-out", "leave out, and list, logged statements that can't be replayed under new names or in part")
    .option("--dry-run", "show what would be read, from where, and how long it should take; change nothing");
  addReadOptions(command).action(async (named: string | undefined, flags: RestoreFlags) => {
    const toRestore = toRequest(flags);
    const opened = await openOneSource(named, flags, "restore");
    const { context, source, vault } = opened;
    const request = { ...toRestore, source, vault };
    if (flags.dryRun) {
      const plan = await planRestore(context, request);
      print(flags, { ...plan, ...reportOf(opened) }, [...describePlan(plan), ...describeOpened(opened)]);
      const isStopped = stopping(plan.obstacles ?? [], flags.leaveOut === true).length > 0;
      const lacks = plan.findings.some(({ ok, level }) => level === "required" && ok === false);
      if (isStopped || lacks || plan.archived !== null) state.exitCode = 1;
      return;
    }
    using progress = terminalProgress(process.stderr);
    const outcome = await restoreSource(context, { ...request, progress: progress.report });
    progress[Symbol.dispose]();
    const lines = [...describeRestore(source, outcome), ...describeOpened(opened)];
    print(flags, { ...outcome, ...reportOf(opened) }, lines);
    if (!outcome.identical) state.exitCode = 1;
  });
};

function toRequest(flags: RestoreFlags): Omit<RestoreOptions, "source" | "vault"> {
  if (flags.backup !== undefined && flags.to !== undefined) {
    throw new AppError("USAGE", "--to and --backup: expected one of them, found both");
  }
  const tables = flags.tables?.flatMap((list) => list.split(","));
  return {
    point: flags.backup === undefined ? parseRestorePoint(flags.to ?? "latest") : { kind: "backup", id: flags.backup },
    targetUrl: flags.target.startsWith("env:") ? fromEnvironment("--target", flags.target) : flags.target,
    rename: new Map((flags.as ?? []).map(parseRename)),
    ...(tables ? { only: tables } : {}),
    intoNonEmpty: flags.intoNonEmpty ?? false,
    users: flags.users ?? false,
    connections: parseConnections(flags.connections),
    scratch: flags.scratch ?? false,
    leaveOutRefused: flags.leaveOut ?? false,
    logger: commandLogger(),
    signal: interruptSignal(),
  };
}

function parseRename(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new AppError("USAGE", `--as: found "${text}", expected OLD=NEW`);
}

function parseConnections(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 32) return number;
  throw new AppError("USAGE", `--connections: found "${text}", expected a number from 1 to 32`);
}

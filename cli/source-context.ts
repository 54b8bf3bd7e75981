import { Option, type Command } from "commander";
import { AppError } from "../lib/core/errors.ts";
import { thisTool } from "../lib/core/tool.ts";
import { type BreakGlassReport, openBreakGlass } from "../lib/restore/break-glass.ts";
import type { Context } from "../lib/vault/context.ts";
import { isVaultAddress } from "../lib/vault/storage/vault-address.ts";
import { openCommandContext, type CommonOptions } from "./command.ts";

/** Options of the commands that read a vault, with a policy or without. */
export interface ReadOptions extends CommonOptions {
  vault?: string;
  source?: string;
  breakGlass?: string;
  passphrase?: string;
  trust?: string;
}

/** What a command works on. */
export interface OpenedSource {
  context: Context;
  /** Absent is every source. */
  source: string | undefined;
  /** A vault of the policy; absent is any. */
  vault: string | undefined;
  /** Undefined where a policy was read. */
  breakGlass: (() => BreakGlassReport) | undefined;
}

/** Adds the options with which a command needs no policy. */
export function addReadOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--vault <name>", "read this vault: its name in the policy, or dir:PATH or az:URL without one"),
    )
    .addOption(new Option("--source <name>", "with dir: or az:, where the vault holds several sources"))
    .addOption(new Option("--break-glass <file>", "with dir: or az:, the private key from the safe"))
    .addOption(new Option("--passphrase <env:NAME>", "of that key, in an environment variable"))
    .addOption(new Option("--trust <file>", "with dir: or az:, the public signing key from the safe"));
}

/** Opens what a command is about: by the policy, or a vault by its address alone. Throws USAGE for options that do not fit. */
async function openSource(named: string | undefined, options: ReadOptions, command: string): Promise<OpenedSource> {
  const { vault, breakGlass, trust, passphrase } = options;
  if (vault === undefined || !isVaultAddress(vault)) {
    const extra = Object.entries({ "--break-glass": breakGlass, "--trust": trust, "--passphrase": passphrase });
    const [first] = extra.find(([, value]) => value !== undefined) ?? [];
    if (first)
      throw new AppError("USAGE", `${first}: expected --vault dir:PATH or az:URL beside it, found a policy's vault`);
    return {
      context: await openCommandContext(options),
      source: named ?? options.source,
      vault,
      breakGlass: undefined,
    };
  }
  const opened = await openBreakGlass({
    address: vault,
    keyFile: breakGlass,
    passphrase: passphrase === undefined ? undefined : fromEnvironment("--passphrase", passphrase),
    trustFile: trust,
    source: named ?? options.source,
    command,
    folder: process.cwd(),
    tool: thisTool(process.env),
  });
  return { context: opened.context, source: opened.source, vault: undefined, breakGlass: opened.report };
}

/** As `openSource`, for a command about one source. */
export async function openOneSource(
  named: string | undefined,
  options: ReadOptions,
  command: string,
): Promise<OpenedSource & { source: string }> {
  const opened = await openSource(named, options, command);
  if (opened.source === undefined) throw new AppError("USAGE", `${command}: expected the name of a source, found none`);
  return { ...opened, source: opened.source };
}

/** As `openSource`, for a command that looks at every vault of a policy. */
export async function openEveryVault(
  named: string | undefined,
  options: ReadOptions,
  command: string,
): Promise<OpenedSource> {
  const opened = await openSource(named, options, command);
  if (opened.vault === undefined) return opened;
  throw new AppError("USAGE", `--vault: found the name "${opened.vault}", expected dir:PATH or az:URL`, {
    hint: `${command} looks at every vault of the policy.`,
  });
}

/** The value of `env:NAME`. Throws USAGE for anything else, SETTING_MISSING. */
export function fromEnvironment(option: string, text: string): string {
  const [, name] = /^env:(.+)$/.exec(text) ?? [];
  if (name === undefined)
    throw new AppError("USAGE", `${option}: expected env:NAME, so that no secret is on the command line`);
  const value = process.env[name];
  if (value) return value;
  throw new AppError("SETTING_MISSING", `${option}: environment variable "${name}" is not set`);
}

/** What the JSON document says besides; nothing where a policy was read. */
export function reportOf({ breakGlass }: OpenedSource): { breakGlass?: BreakGlassReport } {
  return breakGlass ? { breakGlass: breakGlass() } : {};
}

/** What people are told besides: how far signatures can be believed, and where the use was noted. */
export function describeOpened({ breakGlass }: OpenedSource): string[] {
  if (!breakGlass) return [];
  const { anchored, signingKeys, note, noteError } = breakGlass();
  const ids = signingKeys.join(", ");
  return [
    anchored
      ? `signatures checked with the key from --trust and those that follow or precede it: ${ids}`
      : `NOT TRUSTED: signatures were checked only against keys found in the vault itself: ${ids}; ` +
        "compare these ids with the safe's, or give the public signing key with --trust",
    ...(note === null ? [] : [`this use of the key is noted in ${note}`]),
    ...(noteError ? [`NOT NOTED: tell somebody that the key was used: ${noteError.message}`] : []),
  ];
}

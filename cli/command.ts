import type { Command } from "commander";
import { createLogger, atLeast, type Logger, type LogLevel } from "../lib/core/log.ts";
import { openContext, type Context, type ContextOptions } from "../lib/vault/context.ts";

/** Options that every command has. */
export interface CommonOptions {
  json?: true;
  policy?: string;
}

/** Opens policy, vaults and keys for a command; `--policy` wins over the environment. */
export async function openCommandContext(options: CommonOptions, more: ContextOptions = {}): Promise<Context> {
  const env = options.policy === undefined ? process.env : { ...process.env, RESGUARDO_POLICY: options.policy };
  return openContext(env, { logger: commandLogger(), ...more });
}

/** Log lines of a command go to standard error, warnings and worse only, unless RESGUARDO_LOG_LEVEL asks for more. */
export function commandLogger(): Logger {
  const least = (process.env["RESGUARDO_LOG_LEVEL"] ?? "warn") as LogLevel;
  return createLogger(atLeast(least, (_level, line) => process.stderr.write(`${line}\n`)));
}

/** Prints a result: the JSON document for `--json`, lines for people otherwise. */
export function print(options: CommonOptions, document: unknown, lines: readonly string[]): void {
  const text = options.json ? JSON.stringify(document, undefined, 2) : lines.join("\n");
  process.stdout.write(`${text}\n`);
}

/** A signal that aborts at Ctrl-C or SIGTERM, so that a command ends its work in order: the receipt says `interrupted`. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort(new Error(name)));
  return controller.signal;
}

/** Collects a repeatable option. */
export function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

export type AddCommand = (program: Command, state: { exitCode: 0 | 1 | 2 }) => void;

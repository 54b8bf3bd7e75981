import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "../../lib/core/error-codes.ts";
import { AppError, exitCodeOf } from "../../lib/core/errors.ts";
import { RETENTION_DEFAULTS, type RetentionDefault } from "../../lib/core/retention-policy.ts";
import { settingsSchema } from "../../lib/core/settings.ts";
import { DEPENDENCIES } from "./dependencies.ts";

type Row = readonly string[];

/** The tables of the README, by the name in their markers. */
export function readmeTables(): Record<string, string> {
  return {
    retention: retentionTable(),
    settings: settingsTable(),
    errors: errorsTable(),
    dependencies: dependenciesTable(),
  };
}

function retentionTable(): string {
  const rows = Object.entries(RETENTION_DEFAULTS).map(([what, kept]: [string, RetentionDefault]): Row => {
    const tier = kept.coolAfter === undefined ? "" : `cool tier after ${kept.coolAfter}`;
    return [what, kept.full, kept.log ?? "", tier];
  });
  return table(["what", "fulls", "log", ""], rows);
}

function settingsTable(): string {
  const { properties = {}, required = [] } = z.toJSONSchema(settingsSchema, { io: "input" });
  const rows = Object.entries(properties).map(([name, schema]): Row => {
    const { default: preset, enum: choices, description } = typeof schema === "object" ? schema : {};
    const needed = required.includes(name) ? "required" : preset === undefined ? "optional" : code(preset);
    const choice = choices ? ` One of ${choices.map(code).join(", ")}.` : "";
    return [code(name), needed, `${description ?? ""}${choice}`];
  });
  return table(["setting", "default", "meaning"], rows);
}

function errorsTable(): string {
  const rows = (Object.keys(ERROR_CODES) as ErrorCode[]).map((name): Row => {
    const error = new AppError(name, "");
    const retried = error.retryable ? "yes" : "";
    return [code(name), error.kind, String(exitCodeOf(error)), retried, ERROR_CODES[name].summary];
  });
  return table(["code", "kind", "exit", "retried", "meaning"], rows);
}

function dependenciesTable(): string {
  const rows = Object.entries(DEPENDENCIES).map(([name, { use, why }]): Row => [code(name), use, why]);
  return table(["package", "what it is for", "why"], rows);
}

const code = (value: unknown): string => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

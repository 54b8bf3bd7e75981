import { z } from "zod";
import { AppError } from "./errors.ts";
import type { Environment } from "./secrets.ts";

/** Settings of the process; all else is in the policy. The README's table is generated from here. */
export const settingsSchema = z.object({
  RESGUARDO_POLICY: z.string().min(1).describe("Where the policy is: a path, or an https URL of a blob."),
  RESGUARDO_COMMIT: z.string().max(100).optional().describe("Deployed commit, kept in manifests and receipts."),
  RESGUARDO_LOG_LEVEL: z
    .enum(["debug", "info", "warn", "error"])
    .default("info")
    .describe("Least level that is written to the log."),
  RESGUARDO_ROLE: z
    .enum(["all", "backup", "keeper"])
    .default("all")
    .describe(
      "Which jobs this app's timers ask for: `keeper` those that remove blobs, `backup` all others. So the identity that backs up needs no right to delete.",
    ),
  AZURE_CLIENT_ID: z
    .string()
    .optional()
    .describe("Client id of the user-assigned identity that reaches storage and Key Vault."),
});

export type Settings = Readonly<z.output<typeof settingsSchema>>;

/** Checks the environment's settings, all at once. Throws SETTING_MISSING that names them, never their values. */
export function parseSettings(env: Environment): Settings {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const result = settingsSchema.safeParse(present);
  if (result.success) return Object.freeze(result.data);
  const names = [...new Set(result.error.issues.map((issue) => String(issue.path[0])))];
  throw new AppError("SETTING_MISSING", `settings missing or wrong: ${names.join(", ")}`, {
    hint: "Set them in the app's settings or the environment; the README's settings table says what each one is.",
  });
}

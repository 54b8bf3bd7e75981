import { z } from "zod";

/** How long something is kept when its policy does not say otherwise. */
export interface RetentionDefault {
  /** Full copies: dumps, snapshots, archives. */
  full: string;
  /** The log between them; only for sources that have one. */
  log?: string;
  /** After this long, in a cheaper tier. */
  coolAfter?: string;
}

/**
 * The retention tables of ADR-006 §3 and of the continuity contract §3.2 and §4.1, one row for each line there. A month counts 31
 * days and a leap year its day: nothing goes too early by the calendar.
 */
export const RETENTION_DEFAULTS = {
  mysql: { full: "7d", log: "7d" },
  disk: { full: "28d" },
  redis: { full: "3d" },
  infrastructure: { full: "28d" },
  documents: { full: "14d" },
  secrets: { full: "184d" },
  postgres: { full: "30d", log: "30d" },
  "execution-logs": { full: "90d", coolAfter: "30d" },
  "audit-logs": { full: "731d" },
} as const satisfies Record<string, RetentionDefault>;

/** Receipts are audit logs: they are kept as long. */
const RECEIPTS = RETENTION_DEFAULTS["audit-logs"].full;

const count = z.int().min(0).default(0);

/** The field `retention` of a source. `duration` is the policy's type of durations. */
export function retentionSchema(duration: z.ZodString, defaults: { full: string; log: string }) {
  return z
    .strictObject({
      full: duration.default(defaults.full).describe("How long each full backup is kept."),
      log: duration
        .default(defaults.log)
        .describe("Every instant of this long can be restored; the full backup that it needs is kept as well."),
      keep: z
        .strictObject({ daily: count, weekly: count, monthly: count, yearly: count })
        .prefault({})
        .describe(
          "Of the last so many days, weeks, months and years with a backup, the newest full of each is kept (UTC).",
        ),
      minimumProven: z
        .int()
        .min(1)
        .max(100)
        .default(2)
        .describe("Never fewer proven full backups than this are left in a vault."),
      receipts: duration.default(RECEIPTS).describe("How long run records and ledgers of proofs are kept."),
      orphans: duration
        .default("3d")
        .describe(
          "Data that no manifest names is an interrupted backup's, once nothing was added to it for this long.",
        ),
      coolAfter: duration.optional().describe("Data of fulls moves to the cool tier after this long; Azure only."),
      archiveAfter: duration
        .optional()
        .describe("And to the archive tier after this long: a restore then has to wait for hours."),
    })
    .prefault({})
    .describe("How long what is kept. Removed by the job `retention`, never what is held, and nothing while in doubt.");
}

/** What a GiB costs a month in each tier, for estimates. */
export const pricesSchema = z
  .strictObject({
    currency: z.string().min(1).max(3).default("USD"),
    hot: z.number().min(0).default(0.018),
    cool: z.number().min(0).default(0.01),
    cold: z.number().min(0).default(0.0045),
    archive: z.number().min(0).default(0.002),
  })
  .prefault({})
  .describe("Price of a GiB and month in each tier, for estimates; the defaults are list prices of one region (LRS).");

export type Prices = z.output<typeof pricesSchema>;

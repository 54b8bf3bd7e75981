import { z } from "zod";
import type { CitedReceipt } from "./read-receipts.ts";

const measuredSchema = z.object({
  figures: z.object({
    rtoSeconds: z.number().nonnegative(),
    rpoSeconds: z.number().nonnegative().optional(),
    rtoPromisedSeconds: z.number().optional(),
    rpoPromisedSeconds: z.number().optional(),
  }),
});

/** A restore that was measured: by a drill, or by an exercise that says so. */
export interface MeasuredRestoreTest {
  receipt: string;
  sha256: string;
  source: string;
  job: string;
  at: string;
  passed: boolean;
  rtoSeconds: number;
  rpoSeconds: number | null;
  rtoPromisedSeconds: number | null;
  rpoPromisedSeconds: number | null;
}

/** Every restore in these receipts whose time was measured, failed ones too, oldest first. */
export function measuredRestores(receipts: readonly CitedReceipt[]): MeasuredRestoreTest[] {
  return receipts.flatMap(({ content, sha256 }) => {
    const isRestore = content.job.startsWith("drill-") || content.job.startsWith("exercise-");
    const figures = measuredSchema.safeParse(content.details).data?.figures;
    if (!isRestore || !figures) return [];
    const { id, source, job, startedAt, state } = content;
    return [
      {
        receipt: id,
        sha256,
        source,
        job,
        at: startedAt,
        passed: state === "done",
        rtoSeconds: figures.rtoSeconds,
        rpoSeconds: figures.rpoSeconds ?? null,
        rtoPromisedSeconds: figures.rtoPromisedSeconds ?? null,
        rpoPromisedSeconds: figures.rpoPromisedSeconds ?? null,
      },
    ];
  });
}

import { z } from "zod";
import { AppError } from "../core/errors.ts";

const common = {
  v: z.literal(1),
  source: z.string().min(1).max(63),
  /** Who asked: `timer`, or the operator. */
  requestedBy: z.string().min(1).max(200),
  /** The occurrence of the schedule that made it due; absent when somebody asked. */
  dueAt: z.iso.datetime().optional(),
};

/** A message on the queue `jobs`: one piece of work for one source. */
export const jobMessageSchema = z.discriminatedUnion("job", [
  z.strictObject({ ...common, job: z.literal("backup") }),
  /** Brings each vault of the source up to what the others hold. */
  z.strictObject({ ...common, job: z.literal("copy") }),
  /** `deep`: also open what lies there. `heal`: replace what is damaged, instead of what the policy says. */
  z.strictObject({ ...common, job: z.literal("verify"), deep: z.boolean().optional(), heal: z.boolean().optional() }),
  /** Replaces what is known to be bad in one vault by what another one has. */
  z.strictObject({ ...common, job: z.literal("heal") }),
  /** `forSeconds`: how long to tail the log when an operator asked; a timer's job tails until the next one is due. */
  z.strictObject({ ...common, job: z.literal("ship"), forSeconds: z.int().nonnegative().optional() }),
  z.strictObject({ ...common, job: z.literal("rotate-keys") }),
  /** Merges small log segments. */
  z.strictObject({ ...common, job: z.literal("compact") }),
  z.strictObject({ ...common, job: z.literal("retention") }),
  z.strictObject({ ...common, job: z.literal("drill"), test: z.enum(["from-zero", "pitr"]) }),
]);

export type JobMessage = z.output<typeof jobMessageSchema>;
export type JobKind = JobMessage["job"];

/**
 * The name of the work that a message asks for, unique within its source: `backup`, `verify`, `drill-pitr`.
 * Lease, history and receipts of a piece of work go by it.
 */
export function workName(message: JobMessage): string {
  return message.job === "drill" ? `drill-${message.test}` : message.job;
}

/** Checks what came from the queue. Throws MESSAGE_INVALID that names the fields, never their values. */
export function parseJobMessage(message: unknown): JobMessage {
  const result = jobMessageSchema.safeParse(typeof message === "string" ? fromJson(message) : message);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => issue.path.map(String).join(".") || issue.message);
  throw new AppError("MESSAGE_INVALID", `job message: wrong, missing or unknown fields: ${fields.join(", ")}`, {
    hint: 'Send {"v":1,"job":"backup","source":"NAME","requestedBy":"WHO"}; the job is one of backup, verify, copy, heal, ship, rotate-keys, compact, retention and drill.',
  });
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

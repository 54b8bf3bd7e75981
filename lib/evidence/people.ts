import { z } from "zod";
import { AppError } from "../core/errors.ts";

const text = z.string().trim().min(1).max(500);

/** What only people know, by the roles as the template writes them. */
const peopleSchema = z.strictObject({
  team: z.record(z.string(), z.strictObject({ name: text.optional(), contact: text.optional() })).default({}),
  approvals: z
    .record(
      z.string(),
      z.strictObject({ name: text.optional(), date: z.iso.date().optional(), signature: text.optional() }),
    )
    .default({}),
  audit: z.strictObject({ date: z.iso.date().optional(), auditor: text.optional() }).default({}),
  nextReview: z.iso.date().optional(),
});

export type People = z.output<typeof peopleSchema>;

export const NOBODY: People = { team: {}, approvals: {}, audit: {} };

/** Checks the text of a people file. Throws PEOPLE_INVALID that names the fields. */
export function parsePeople(json: string): People {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw invalid("it is not JSON");
  }
  const result = peopleSchema.safeParse(parsed);
  if (result.success) return result.data;
  throw invalid(
    result.error.issues
      .map(({ path, message }) => `${path.map(String).join(".") || "the file"}: ${message}`)
      .join("; "),
  );
}

function invalid(problem: string): AppError {
  return new AppError("PEOPLE_INVALID", `the file of people can't be read: ${problem}`, {
    hint: "docs/json.md shows the file; leave out what is not known.",
  });
}

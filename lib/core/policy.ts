import { createHash } from "node:crypto";
import type { z } from "zod";
import { AppError } from "./errors.ts";
import { crossReferences, policySchema, type Policy, type SourcePolicy } from "./policy-schema.ts";

/** A policy that was read and found right, with what the rest of the product needs to know about the text itself. */
export interface LoadedPolicy {
  readonly policy: Policy;
  /** SHA-256 (hex) of the canonical JSON: the same for any layout and order of keys. Goes into manifests and receipts. */
  readonly hash: string;
  /** Folder that relative paths of the policy start at. */
  readonly baseDir: string;
}

/**
 * Validates the text of a policy. Throws one POLICY_INVALID that names every wrong field, never a value,
 * or POLICY_UNREADABLE when the text is not JSON.
 */
export function parsePolicy(text: string, baseDir: string): LoadedPolicy {
  const json = parseJson(text);
  const result = policySchema.safeParse(json);
  const crossed = crossReferences.safeParse(json);
  if (!result.success || !crossed.success) {
    throw invalidPolicy([...(result.error?.issues ?? []), ...(crossed.error?.issues ?? [])]);
  }
  const { $schema: _editorHint, ...policy } = result.data;
  return Object.freeze({ policy, hash: createHash("sha256").update(canonicalJson(policy)).digest("hex"), baseDir });
}

/** The source of that name. Throws SOURCE_UNKNOWN with the names there are. */
export function findSource(policy: Policy, name: string): SourcePolicy {
  const source = policy.sources.find((candidate) => candidate.name === name);
  if (source) return source;
  const known = policy.sources.map((candidate) => `"${candidate.name}"`).join(", ");
  throw new AppError("SOURCE_UNKNOWN", `no source of that name: found "${name}", expected one of ${known}`, {
    hint: "Name a source of the policy; `resguardo check` lists them.",
  });
}

/** JSON with sorted keys and no spaces, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (item === null || typeof item !== "object" || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may hold what should not be shown.
    throw new AppError("POLICY_UNREADABLE", "the policy is not JSON", {
      hint: "Check commas and quotes; docs/policy.schema.json helps editors to find the place.",
    });
  }
}

function invalidPolicy(issues: readonly z.core.$ZodIssue[]): AppError {
  const problems = new Set(issues.flatMap(describeIssue));
  return new AppError("POLICY_INVALID", `the policy has ${problems.size} problem(s): ${[...problems].join("; ")}`, {
    hint: "Correct the named fields; docs/policy.schema.json describes each of them.",
  });
}

/** By name, never by value: of what was found, none of the messages says more than its type. */
function describeIssue(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${fieldName([...issue.path, key])}: unknown field`);
  }
  return [`${fieldName(issue.path)}: ${describeProblem(issue)}`];
}

function describeProblem(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_key") return issue.issues.map(describeProblem).join(", ");
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined")) return "missing";
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
}

function fieldName(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "the policy" : path.map(String).join(".");
}

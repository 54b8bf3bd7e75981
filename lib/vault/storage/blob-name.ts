import { AppError } from "../../core/errors.ts";

/** Azure's limit for a whole name, and that of common file systems for one part of it. */
const MAX_NAME_LENGTH = 1024;
const MAX_PART_LENGTH = 255;

// Plain ASCII, so that every storage keeps the same names in the same order, and none of them means anything to a file system.
// A trailing dot is dropped by Windows and discouraged by Azure; with it go "." and "..".
const PART = /^[A-Za-z0-9._~%-]*[A-Za-z0-9_~%-]$/;
const FOREIGN = /[^A-Za-z0-9._~-]|\.$/gu;

/** Throws STORAGE_PATH_INVALID unless the name is one or more allowed parts, separated by "/". */
export function assertBlobName(name: string): void {
  const problem = findProblem(name);
  if (problem !== undefined) throw invalid("blob name", name, problem);
}

/** As `assertBlobName`; the key must also fit one file name when its foreign characters are percent-encoded. */
export function assertStateKey(key: string): void {
  const problem = findProblem(key) ?? (encodeURIComponent(key).length > MAX_PART_LENGTH ? "it is too long" : undefined);
  if (problem !== undefined) throw invalid("state key", key, problem);
}

/** Makes one part of a blob name of any text (the name of a source, a database), percent-encoding what is not allowed in it. */
export function encodeNamePart(text: string): string {
  const part = text.replace(FOREIGN, (character) =>
    Array.from(Buffer.from(character, "utf8"), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(
      "",
    ),
  );
  assertBlobName(part);
  return part;
}

function findProblem(name: string): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return `it has ${name.length} characters, at most ${MAX_NAME_LENGTH} are allowed`;
  for (const part of name.split("/")) {
    if (part === "") return "it has an empty part";
    if (part.length > MAX_PART_LENGTH) return `a part is longer than ${MAX_PART_LENGTH} characters`;
    if (!PART.test(part))
      return `the part ${JSON.stringify(part)} has characters that are not allowed, or ends in a dot`;
  }
  return undefined;
}

function invalid(kind: string, name: string, problem: string): AppError {
  return new AppError(
    "STORAGE_PATH_INVALID",
    `${kind} ${JSON.stringify(name.slice(0, 200))} is not allowed: ${problem}`,
    {
      hint: "Use letters, digits and ._~%- in parts separated by a slash; encodeNamePart makes such a part of any text.",
    },
  );
}

import { visitScalars } from "./json-types.ts";
import { quoteName, quoteString } from "./quoting.ts";

/** Each place costs the server about 0.13 µs a row. */
const MAX_PLACES = 64;
/** With more places that only one sampled document has, most documents would have some that none of them has. */
const MAX_ODD_SHARE = 0.05;

/** Strings as the server prints DATE, TIME, DATETIME and opaque values; the kernel's `isDoubtful`. */
const DOUBTFUL = /^"(?:.{4}-.{2}-.{2}|.{4}-.{5} .{15}|.{5,7}:.{2}\..{6}|base64:t.*)"$/s;

/**
 * SQL that counts, at the places where the sampled documents have numbers, those that are INTEGER or DOUBLE: what text
 * brings back. Compared with all numbers of a document, which the kernel counts in its text. Undefined where that would
 * not help: with strings that look like times, or documents that have little in common.
 */
export function countNumbersSql(columnName: string, texts: readonly string[]): string | undefined {
  const places = new Map<string, { documents: number; types: Set<string> }>();
  let isDoubtful = texts.length === 0;
  for (const text of texts) {
    visitScalars(text, (path, source) => {
      isDoubtful ||= DOUBTFUL.test(source);
      if (!/^[-\d]/.test(source)) return;
      const place = places.get(path) ?? { documents: 0, types: new Set() };
      place.documents += 1;
      place.types.add(/^-?\d+$/.test(source) ? "INTEGER" : "DOUBLE");
      places.set(path, place);
    });
  }
  const odd = [...places.values()].filter(({ documents }) => documents === 1).length;
  const unhelpful = isDoubtful || places.size > MAX_PLACES || odd > texts.length * MAX_ODD_SHARE;
  if (unhelpful || !areApart([...places.keys()])) return undefined;
  const counts = [...places].map(([path, { types }]) => countSql(columnName, path, [...types]));
  return `IF(${quoteName(columnName)} IS NULL, NULL, ${counts.join(" + ") || "0"})`;
}

/**
 * Whether no two places can be the same number of some document, which would be counted twice: MySQL takes a path with
 * [0] for the thing itself where that is no array.
 */
function areApart(paths: readonly string[]): boolean {
  return new Set(paths.map((path) => path.replaceAll("[0]", ""))).size === paths.length;
}

function countSql(columnName: string, path: string, types: readonly string[]): string {
  const type = `JSON_TYPE(JSON_EXTRACT(${quoteName(columnName)}, ${quoteString(path)}))`;
  const list = types.map((name) => `'${name}'`).join(", ");
  return `IFNULL(${type} ${types.length === 1 ? "=" : "IN"} ${types.length === 1 ? list : `(${list})`}, 0)`;
}

import { AppError } from "../../core/errors.ts";
import { quoteName, quoteString } from "./quoting.ts";

/*
 * JSON text loses types: 1.50 made from a DECIMAL comes back as a DOUBLE, 5 from an unsigned column as a signed INTEGER,
 * a DATETIME as a string. Rows with such scalars are told apart, and carry beside the text one letter for each scalar of
 * the document, in the order of the text.
 */

/** Letters of the JSON_TYPEs that text does not bring back; a dot is a scalar that it does. */
const LETTERS = {
  "UNSIGNED INTEGER": "U",
  DECIMAL: "D",
  DATE: "A",
  TIME: "M",
  DATETIME: "T",
  TIMESTAMP: "S",
  BLOB: "B",
  BIT: "X",
  OPAQUE: "O",
} as const;

type Letter = (typeof LETTERS)[keyof typeof LETTERS];

/**
 * SQL of the letters of a JSON column, trailing dots left out; NULL when text brings everything back.
 * `proof` is SQL that is true only for documents without any such scalar, and spares them the search.
 */
export function jsonTypesSql(columnName: string, proof: string | undefined): string {
  const name = quoteName(columnName);
  const cases = Object.entries(LETTERS).map(([type, letter]) => `WHEN '${type}' THEN '${letter}'`);
  const letter = `CASE JSON_TYPE(v) ${cases.join(" ")} WHEN 'OBJECT' THEN '' WHEN 'ARRAY' THEN '' ELSE '.' END`;
  // '$**[0]' finds every scalar and object, in the order of the text, since [0] of what is no array is the thing itself.
  const nodes = `JSON_TABLE(${name}, '$**[0]' COLUMNS (o FOR ORDINALITY, v JSON PATH '$')) AS nodes`;
  const letters = `(SELECT NULLIF(TRIM(TRAILING '.' FROM GROUP_CONCAT(${letter} ORDER BY o SEPARATOR '')), '') FROM ${nodes})`;
  return `IF(${name} IS NULL${proof === undefined ? "" : ` OR ${proof}`}, NULL, ${letters})`;
}

/** SQL of the document with exactly the types that its letters say. Throws SOURCE_UNSUPPORTED for the ones SQL can't make. */
export function typedJsonSql(text: string, letters: string): string {
  const changes: string[] = [];
  let index = 0;
  visitScalars(text, (path, source) => {
    const letter = letters[index];
    index += 1;
    if (letter === undefined || letter === ".") return;
    changes.push(quoteString(path), scalarSql(letter as Letter, source));
  });
  if (index < letters.length) throw new AppError("INVARIANT", "more JSON types than scalars");
  const document = `CAST(${quoteString(text)} AS JSON)`;
  return changes.length === 0 ? document : `JSON_REPLACE(${document}, ${changes.join(", ")})`;
}

/** `source` is the scalar's JSON text: a number, or a string in quotes. */
function scalarSql(letter: Letter, source: string): string {
  const text = source.startsWith('"') ? (JSON.parse(source) as string) : source;
  switch (letter) {
    case "U":
      return `CAST(${quoteString(text)} AS UNSIGNED)`;
    case "D":
      return decimalSql(text);
    case "A":
      return `CAST(${quoteString(text)} AS DATE)`;
    case "M":
      return `CAST(${quoteString(text)} AS TIME(6))`;
    case "T":
      return `CAST(${quoteString(text)} AS DATETIME(6))`;
    case "S":
      // No cast makes a TIMESTAMP; a column of that type does.
      return `(SELECT v FROM JSON_TABLE(${quoteString(JSON.stringify(text))}, '$' COLUMNS (v TIMESTAMP(6) PATH '$')) AS t)`;
    case "B":
    case "X":
    case "O":
      return opaqueSql(text);
  }
}

function decimalSql(text: string): string {
  const [whole = "", fraction = ""] = text.replace("-", "").split(".");
  return `CAST(${quoteString(text)} AS DECIMAL(${Math.max(1, whole.length + fraction.length)}, ${fraction.length}))`;
}

/**
 * `base64:typeN:…`, N the number of the column type that the value came from. An expression with the same type makes it
 * again. None makes a TINYBLOB (249), which becomes a BLOB, or a type unknown here, which stays text; the fingerprint
 * of the table tells.
 */
function opaqueSql(text: string): string {
  const [, type, data] = /^base64:type(\d+):(.*)$/s.exec(text) ?? [];
  const bytes = Buffer.from(data ?? "", "base64");
  const literal = `X'${bytes.toString("hex")}'`;
  const column = (columnType: string, source: string): string =>
    `(SELECT v FROM JSON_TABLE(${source}, '$[*]' COLUMNS (v ${columnType} PATH '$' ERROR ON ERROR)) AS t)`;
  switch (Number(type)) {
    case 15:
      return literal;
    case 16:
      return column(`BIT(${bytes.length * 8})`, `'[${BigInt(`0x${bytes.toString("hex")}`)}]'`);
    case 249:
    case 252:
      return column("BLOB", `JSON_ARRAY(${literal})`);
    case 250:
      return `IF(FALSE, REPEAT(X'00', 70000), ${literal})`;
    case 251:
      return `IF(FALSE, REPEAT(X'00', 17000000), ${literal})`;
    case 254:
      return column(`BINARY(${bytes.length})`, `JSON_ARRAY(${literal})`);
    default:
      return quoteString(text);
  }
}

/** Calls `visit` with the path and the text of each scalar, in the order of the text. `text` is what the server printed. */
export function visitScalars(text: string, visit: (path: string, source: string) => void): void {
  const token = /[[\]{},:]|"(?:[^"\\]|\\.)*"|[^\s[\]{},:"]+/gs;
  const open: { path: string; index: number; isArray: boolean; key: string | undefined }[] = [];
  const pathHere = (): string => {
    const top = open.at(-1);
    if (top === undefined) return "$";
    return top.isArray ? `${top.path}[${top.index}]` : `${top.path}.${top.key}`;
  };
  for (const [source] of text.matchAll(token)) {
    const top = open.at(-1);
    if (source === "[" || source === "{") {
      open.push({ path: pathHere(), index: 0, isArray: source === "[", key: undefined });
    } else if (source === "]" || source === "}") {
      open.pop();
    } else if (source === ",") {
      if (top) {
        top.index += 1;
        top.key = undefined;
      }
    } else if (source !== ":") {
      if (top && !top.isArray && top.key === undefined) top.key = source;
      else visit(pathHere(), source);
    }
  }
}

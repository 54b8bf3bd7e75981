/*
 * The encodings of MySQL's collations by number, as far as the platform can decode them:
 * SELECT id, character_set_name FROM information_schema.collations. The numbers never change.
 */

const BINARY = 63;

/** Label of the encoding, and the numbers of its collations: single ones and ranges. */
const ENCODINGS: readonly (readonly [string, ...(number | readonly [number, number])[]])[] = [
  // utf8mb4, utf8mb3, ascii
  ["utf-8", 45, 46, [224, 247], [255, 323], 33, 76, 83, [192, 215], 223, 11, 65],
  // latin1 is the vendor's name of this one
  ["windows-1252", 5, 8, 15, 31, 47, 48, 49, 94],
  ["iso-8859-2", 2, 9, 21, 27, 77],
  ["windows-1250", 26, 34, 44, 66, 99],
  ["windows-1251", 14, 23, 50, 51, 52],
  ["windows-1256", 57, 67],
  ["windows-1257", 29, 58, 59],
  ["iso-8859-7", 25, 70],
  ["iso-8859-8", 16, 71],
  ["iso-8859-9", 30, 78],
  ["iso-8859-13", 20, 41, 42, 79],
  ["koi8-r", 7, 74],
  ["koi8-u", 22, 75],
  ["big5", 1, 84],
  ["gbk", 24, 28, 86, 87],
  ["gb18030", [248, 250]],
  ["shift_jis", 13, 88, 95, 96],
  ["euc-jp", 12, 91, 97, 98],
  ["euc-kr", 19, 85],
  // utf16 and ucs2, then utf16le
  ["utf-16be", 35, 54, 55, 90, [101, 124], [128, 151], 159],
  ["utf-16le", 56, 62],
];

const LABELS = new Map<number, string>(
  ENCODINGS.flatMap(([label, ...numbers]) =>
    numbers.flatMap((entry) => {
      const [first, last] = typeof entry === "number" ? [entry, entry] : entry;
      return Array.from({ length: last - first + 1 }, (_, index): [number, string] => [first + index, label]);
    }),
  ),
);

/** Whether values of that collation are bytes, not text. */
export function isBinary(collation: number | undefined): boolean {
  return collation === BINARY;
}

/**
 * The text of a stored value; undefined where it is none in an encoding that is known here. With `isCut` a character that the
 * end cuts in half is left away.
 */
export function decodeText(bytes: Buffer, collation: number | undefined, isCut = false): string | undefined {
  // Where it was not logged, text is what it most likely is.
  const label = collation === undefined ? "utf-8" : LABELS.get(collation);
  if (label === undefined) return undefined;
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
  } catch {
    return undefined;
  }
}

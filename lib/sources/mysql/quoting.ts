/** Quotes an identifier. Whatever the name holds, the server reads it as one name. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** Quotes `schema`.`name`. */
export function quoteTable(schema: string, name: string): string {
  return `${quoteName(schema)}.${quoteName(name)}`;
}

const ESCAPES: Record<string, string> = {
  "\0": "\\0",
  "'": "\\'",
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\u001a": "\\Z",
};

/** Quotes a string literal for a session whose sql_mode lacks NO_BACKSLASH_ESCAPES; every session of ours is one. */
export function quoteString(text: string): string {
  return `'${text.replaceAll(/[\0'\\\n\r\u001a]/g, (character) => ESCAPES[character] ?? character)}'`;
}

/** `'a', 'b'` for an IN list; `NULL`, which nothing equals, for an empty one. */
export function quoteList(texts: readonly string[]): string {
  return texts.length === 0 ? "NULL" : texts.map(quoteString).join(", ");
}

/** `quoted` is an identifier in quotes; `word` is a bare identifier, a keyword or a number; `mark` is anything else. */
export type TokenKind = "quoted" | "word" | "string" | "mark";

/** A piece of SQL that means something; blanks and comments are left out, the content of executable comments is not. */
export interface Token {
  kind: TokenKind;
  /** Without quotes and escapes where it is an identifier, else as written. */
  text: string;
  /** Offsets into the SQL: the token is `sql.slice(start, end)`. */
  start: number;
  end: number;
}

/** What of an sql_mode changes how text is cut into tokens. */
export interface Dialect {
  ansiQuotes: boolean;
  noBackslashEscapes: boolean;
}

/** The text of SHOW CREATE in our own sessions. */
const OWN_DIALECT: Dialect = { ansiQuotes: false, noBackslashEscapes: false };

export function dialectOf(sqlMode: string): Dialect {
  const modes = new Set(sqlMode.split(","));
  return { ansiQuotes: modes.has("ANSI_QUOTES"), noBackslashEscapes: modes.has("NO_BACKSLASH_ESCAPES") };
}

// Sticky, each tried at the current position. "--" opens a comment only before a blank or the end.
const BLANK = /\s+|#[^\n]*|--(?=\s|$)[^\n]*|\/\*(?!!)[\s\S]*?(?:\*\/|$)/y;
const EXECUTABLE_OPEN = /\/\*!(?:\d{5,6})?/y;
const EXECUTABLE_CLOSE = /\*\//y;
const WORD = /[\w$\u0080-\u{10ffff}]+/uy;
const SINGLE_QUOTED = /'(?:[^'\\]|\\[\s\S]|'')*'/y;
const DOUBLE_QUOTED = /"(?:[^"\\]|\\[\s\S]|"")*"/y;
const SINGLE_QUOTED_PLAIN = /'(?:[^']|'')*'/y;
const DOUBLE_QUOTED_PLAIN = /"(?:[^"]|"")*"/y;
const BACKQUOTED = /`(?:[^`]|``)*`/y;

/** Cuts SQL into tokens as the server does. Never fails: a quote that is not closed is a mark of its own. */
export function tokenize(sql: string, dialect: Dialect = OWN_DIALECT): Token[] {
  const tokens: Token[] = [];
  const single = dialect.noBackslashEscapes ? SINGLE_QUOTED_PLAIN : SINGLE_QUOTED;
  const double = dialect.noBackslashEscapes && !dialect.ansiQuotes ? DOUBLE_QUOTED_PLAIN : DOUBLE_QUOTED;
  let at = 0;
  let insideExecutable = false;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0];
  };
  const push = (kind: TokenKind, raw: string, text = raw): void => {
    tokens.push({ kind, text, start: at, end: at + raw.length });
    at += raw.length;
  };
  while (at < sql.length) {
    const blank = match(BLANK);
    // Outside of such a comment "*/" can be a multiplication before another comment.
    const bracket = blank === undefined ? match(insideExecutable ? EXECUTABLE_CLOSE : EXECUTABLE_OPEN) : undefined;
    if (bracket !== undefined) insideExecutable = !insideExecutable;
    const skipped = blank ?? bracket;
    if (skipped !== undefined) {
      at += skipped.length;
      continue;
    }
    const name = match(BACKQUOTED) ?? (dialect.ansiQuotes ? match(DOUBLE_QUOTED_PLAIN) : undefined);
    if (name !== undefined) {
      push("quoted", name, unquote(name));
      continue;
    }
    const text = match(single) ?? match(double);
    if (text !== undefined) {
      push("string", text);
      continue;
    }
    const word = match(WORD);
    if (word === undefined) push("mark", sql.slice(at, at + 1));
    else push("word", word);
  }
  return tokens;
}

/** Whether the token is this keyword, bare and in any case. */
export function isKeyword(token: Token | undefined, keyword: string): boolean {
  return token?.kind === "word" && token.text.toUpperCase() === keyword;
}

export function isMark(token: Token | undefined, mark: string): boolean {
  return token?.kind === "mark" && token.text === mark;
}

/** Whether the token can be an identifier. */
export function isName(token: Token | undefined): token is Token {
  return token?.kind === "quoted" || token?.kind === "word";
}

function unquote(name: string): string {
  const quote = name.charAt(0);
  return name.slice(1, -1).replaceAll(quote + quote, quote);
}

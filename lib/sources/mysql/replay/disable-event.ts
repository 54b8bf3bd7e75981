import { applyEdits } from "../rename.ts";
import { isKeyword, isMark, type Token } from "../tokens.ts";

const NEVER = -1;

/**
 * CREATE EVENT and ALTER EVENT with the event disabled, as a full restore leaves events: it must not run while the log is
 * replayed, and on the source what it did is in the log. Undefined for any other statement, and where it stays disabled.
 */
export function disableEvent(text: string, tokens: readonly Token[]): string | undefined {
  const event = tokens.findIndex((token) => isKeyword(token, "EVENT"));
  const isCreate = isKeyword(tokens[0], "CREATE");
  if (event < 0 || (!isCreate && !isKeyword(tokens[0], "ALTER"))) return undefined;
  // A definer, and nothing else, may stand between: otherwise the word is somewhere in a body.
  const between = tokens.slice(1, event);
  if (between.length > 0 && !isKeyword(between[0], "DEFINER")) return undefined;
  const bodyAt = tokens.findIndex((token, index) => index > event && isKeyword(token, "DO"));
  const head = tokens.slice(0, bodyAt === NEVER ? tokens.length : bodyAt);
  const enable = head.findLastIndex((token, index) => index > event + 1 && isKeyword(token, "ENABLE"));
  if (enable !== NEVER) return applyEdits(text, [replacement(head[enable], "DISABLE")]);
  const hasStatus = head.some((token, index) => index > event + 1 && isKeyword(token, "DISABLE"));
  if (!isCreate || hasStatus) return undefined;
  const comment = head.findIndex((token, index) => isKeyword(token, "COMMENT") && head[index + 1]?.kind === "string");
  const before = tokens[comment === NEVER ? bodyAt : comment];
  return before === undefined || isMark(before, ".") ? undefined : applyEdits(text, [insertion(before, "DISABLE ")]);
}

const replacement = (token: Token | undefined, by: string) => ({
  start: token?.start ?? 0,
  end: token?.end ?? 0,
  text: by,
});

const insertion = ({ start }: Token, what: string) => ({ start, end: start, text: what });

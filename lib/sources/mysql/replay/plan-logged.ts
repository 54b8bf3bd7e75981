import type { Token } from "../tokens.ts";
import { disableEvent } from "./disable-event.ts";
import { type LoggedStatement, textOf, tokensOf } from "./logged-statement.ts";
import type { ReplayScope } from "./scope.ts";
import { planStatement, type StatementPlan } from "./statement-plan.ts";

export interface LoggedPlan {
  plan: StatementPlan;
  /** Of the statement as it would run under its old names. */
  tokens: readonly Token[];
  /** Brings the plan's text back into the statement's character set. */
  encode: (text: string) => Buffer;
}

/** Decides for one logged statement; what makes scheduled events makes them disabled. */
export function planLogged(statement: LoggedStatement, scope: ReplayScope): LoggedPlan {
  const { text: logged, encode } = textOf(statement.query.sql);
  const loggedTokens = tokensOf(statement, logged);
  const disabled = disableEvent(logged, loggedTokens);
  const text = disabled ?? logged;
  const tokens = disabled === undefined ? loggedTokens : tokensOf(statement, disabled);
  return { plan: planStatement(statement, text, tokens, scope), tokens, encode };
}

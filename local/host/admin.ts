import type { IncomingMessage } from "node:http";
import type { RpcTypedData } from "./core-api.ts";
import type { HostedFunction } from "./hosted-function.ts";
import type { HttpDeps } from "./http.ts";
import { toTimerData } from "./timers.ts";

/**
 * `POST /admin/functions/{name}` with `{"input": "text"}` runs a timer or queue function now, and answers 202 at once, as
 * the Functions host does. Returns the status.
 */
export function runByHand(request: IncomingMessage, url: URL, body: Buffer, { functions, invoker }: HttpDeps): number {
  const name = /^\/admin\/functions\/([\w-]+)$/.exec(url.pathname)?.[1];
  const hosted = functions.find((candidate) => candidate.name === name);
  if (!hosted || hosted.trigger.kind === "http" || request.method !== "POST") return 404;
  // A form of a web page can't send this type without asking first, so no page can run functions behind the user's back.
  if (!request.headers["content-type"]?.startsWith("application/json")) return 415;
  const input = inputOf(body);
  if (input === undefined) return 400;
  // The invoker logs the outcome; nobody waits for it here.
  invoker.invoke(hosted, { binding: hosted.trigger.binding, data: triggerData(hosted, input) }).catch(() => {});
  return 202;
}

function triggerData(hosted: HostedFunction, input: string): RpcTypedData {
  return hosted.trigger.kind === "timer" ? toTimerData({ status: undefined, isPastDue: false }) : { string: input };
}

/** The text under `input`; empty when there is none, undefined when the body is not such an object. */
function inputOf(body: Buffer): string | undefined {
  try {
    const { input = "" } = JSON.parse(body.toString() || "{}") as { input?: unknown };
    return typeof input === "string" ? input : JSON.stringify(input);
  } catch {
    // Answered as 400.
    return undefined;
  }
}

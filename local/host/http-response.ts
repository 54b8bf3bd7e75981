import type { ServerResponse } from "node:http";
import type { RpcHttpCookie, RpcHttpData } from "./core-api.ts";
import { toBytes } from "./rpc-data.ts";

/** Writes what an HTTP function returned. Nothing returned is 204, as on Azure. */
export function sendResponse(response: ServerResponse, http: RpcHttpData | null | undefined): void {
  if (!http) {
    response.writeHead(204).end();
    return;
  }
  for (const [name, value] of Object.entries(http.headers ?? {})) response.setHeader(name, value);
  const cookies = (http.cookies ?? []).map(toSetCookie);
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  response.writeHead(Number(http.statusCode ?? 200)).end(toBytes(http.body));
}

/** The value of a Set-Cookie header. */
export function toSetCookie(cookie: RpcHttpCookie): string {
  const expires = cookie.expires && new Date(cookie.expires.value.seconds * 1000).toUTCString();
  const attributes: [string, string | number | boolean | undefined][] = [
    ["Domain", cookie.domain?.value],
    ["Path", cookie.path?.value],
    ["Expires", expires],
    ["Max-Age", cookie.maxAge?.value],
    ["Secure", cookie.secure?.value],
    ["HttpOnly", cookie.httpOnly?.value],
    ["SameSite", SAME_SITE[cookie.sameSite ?? "none"]],
  ];
  const set = attributes.filter(([, value]) => value !== undefined && value !== false);
  const texts = set.map(([name, value]) => (value === true ? name : `${name}=${value}`));
  return [`${cookie.name}=${encodeURIComponent(cookie.value ?? "")}`, ...texts].join("; ");
}

/** The library's "none" means that the cookie says nothing about it. */
const SAME_SITE = { none: undefined, explicitNone: "None", lax: "Lax", strict: "Strict" } as const;

import type { RpcTypedData } from "./core-api.ts";

export interface HttpRequestParts {
  url: string;
  method: string;
  headers: Readonly<Record<string, string>>;
  query: Readonly<Record<string, string>>;
  params: Readonly<Record<string, string>>;
  body: Uint8Array;
}

/** A request as the library expects it from its host. */
export function toRpcRequest(request: HttpRequestParts): RpcTypedData {
  return {
    http: {
      url: request.url,
      method: request.method,
      nullableHeaders: toNullable(request.headers),
      nullableQuery: toNullable(request.query),
      nullableParams: toNullable(request.params),
      body: { bytes: request.body },
    },
  };
}

function toNullable(values: Readonly<Record<string, string>>): Record<string, { value: string }> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]));
}

/** Text stays text (the library parses it when it is JSON), anything else becomes JSON. */
export function toRpcValue(value: unknown): RpcTypedData {
  return typeof value === "string" ? { string: value } : { json: JSON.stringify(value) };
}

/** The bytes of a value; empty when there is none. */
export function toBytes(data: RpcTypedData | null | undefined): Uint8Array {
  if (data?.bytes) return data.bytes;
  return Buffer.from(toText(data));
}

function toText(data: RpcTypedData | null | undefined): string {
  return data?.string ?? data?.json ?? String(data?.int ?? data?.double ?? "");
}

/**
 * The messages that one value of a queue output stands for: bytes are one message; text that is a JSON array is one message
 * for each element; any other text is one message; nothing is none.
 */
export function toQueueMessages(data: RpcTypedData | null | undefined): Uint8Array[] {
  if (data === null || data === undefined) return [];
  if (data.bytes) return [data.bytes];
  const text = toText(data);
  return (tryParseArray(text) ?? [text]).map((item) =>
    Buffer.from(typeof item === "string" ? item : JSON.stringify(item)),
  );
}

function tryParseArray(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    // Plain text is a message of its own.
    return undefined;
  }
}

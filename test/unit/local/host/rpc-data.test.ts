import { describe, expect, test } from "vitest";
import { toSetCookie } from "../../../../local/host/http-response.ts";
import { toBytes, toQueueMessages, toRpcRequest, toRpcValue } from "../../../../local/host/rpc-data.ts";

const texts = (messages: Uint8Array[]) => messages.map((message) => Buffer.from(message).toString());

describe("the messages of a queue output", () => {
  test("are the elements of an array, text as it is and anything else as JSON", () => {
    expect(texts(toQueueMessages({ json: '["a",{"b":1},2,null]' }))).toEqual(["a", '{"b":1}', "2", "null"]);
    expect(texts(toQueueMessages({ string: "[1,2]" }))).toEqual(["1", "2"]);
  });

  test("are one for an object, a text, a number or bytes", () => {
    expect(texts(toQueueMessages({ json: '{"a":[1]}' }))).toEqual(['{"a":[1]}']);
    expect(texts(toQueueMessages({ string: "[not json" }))).toEqual(["[not json"]);
    expect(texts(toQueueMessages({ int: 0 }))).toEqual(["0"]);
    expect(toQueueMessages({ bytes: Uint8Array.of(0, 255) })).toEqual([Uint8Array.of(0, 255)]);
  });

  test("are none for nothing and for an empty array", () => {
    expect([toQueueMessages(undefined), toQueueMessages(null), toQueueMessages({ json: "[]" })]).toEqual([[], [], []]);
  });
});

describe("values on their way to and from the library", () => {
  test("keep text as text and turn anything else into JSON", () => {
    expect([toRpcValue("1"), toRpcValue(1), toRpcValue(new Date(0))]).toEqual([
      { string: "1" },
      { json: "1" },
      { json: '"1970-01-01T00:00:00.000Z"' },
    ]);
  });

  test("give the bytes of text, JSON and bytes, and none of nothing", () => {
    expect(Buffer.from(toBytes({ string: "é" })).toString()).toBe("é");
    expect(toBytes({ bytes: Uint8Array.of(7) })).toEqual(Uint8Array.of(7));
    expect(toBytes(undefined)).toHaveLength(0);
  });

  test("wrap each header, query value and parameter, so that empty differs from absent", () => {
    const parts = { url: "http://x/", method: "GET", headers: { a: "" }, query: {}, params: {}, body: Buffer.alloc(0) };
    expect(toRpcRequest(parts).http?.nullableHeaders).toEqual({ a: { value: "" } });
  });
});

describe("a cookie", () => {
  test("carries only the attributes that are set", () => {
    expect(toSetCookie({ name: "a", value: "b;c" })).toBe("a=b%3Bc");
    expect(toSetCookie({ name: "a", value: "", secure: { value: false }, sameSite: "none" })).toBe("a=");
  });

  test("carries every attribute that is set", () => {
    const cookie = {
      name: "a",
      value: "b",
      domain: { value: "d.example" },
      path: { value: "/p" },
      expires: { value: { seconds: 0 } },
      maxAge: { value: 0 },
      secure: { value: true },
      httpOnly: { value: true },
      sameSite: "explicitNone",
    } as const;
    expect(toSetCookie(cookie)).toBe(
      "a=b; Domain=d.example; Path=/p; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Secure; HttpOnly; SameSite=None",
    );
  });
});

import { expect, test } from "vitest";
import { decodeMessage, encodeMessage, triggerMetadata } from "../../../../local/host/queue-message.ts";

const message = {
  messageId: "real-id",
  popReceipt: "receipt",
  dequeueCount: 2,
  messageText: "",
  insertedOn: new Date(0),
  expiresOn: new Date(1000),
  nextVisibleOn: new Date(2000),
};

test("a base64 message is decoded to text, or to bytes where it is not UTF-8", () => {
  expect(decodeMessage(Buffer.from("é").toString("base64"), "base64")).toEqual({ string: "é" });
  expect(decodeMessage("//4=", "base64")).toEqual({ bytes: Buffer.from([255, 254]) });
});

test("a message that is not base64 is refused with a code, unless the app says that its messages are plain", () => {
  expect(() => decodeMessage("{}", "base64")).toThrow(expect.objectContaining({ code: "MESSAGE_INVALID" }));
  expect(decodeMessage("{}", "none")).toEqual({ string: "{}" });
});

test("what is encoded is decoded again", () => {
  expect(decodeMessage(encodeMessage(Buffer.from("a b"), "base64"), "base64")).toEqual({ string: "a b" });
  expect(encodeMessage(Buffer.from("a b"), "none")).toBe("a b");
});

test("the metadata of a plain message is the message's own", () => {
  expect(triggerMetadata(message, { string: "plain" })).toEqual({
    QueueTrigger: { string: "plain" },
    Id: { string: "real-id" },
    PopReceipt: { string: "receipt" },
    DequeueCount: { json: "2" },
    InsertionTime: { json: '"1970-01-01T00:00:00.000Z"' },
    ExpirationTime: { json: '"1970-01-01T00:00:01.000Z"' },
    NextVisibleTime: { json: '"1970-01-01T00:00:02.000Z"' },
  });
});

test("a JSON message's field takes the place of metadata of the same name in any case, as on Azure", () => {
  const metadata = triggerMetadata(message, { string: '{"ID":"mine","other":[1]}' });
  expect(metadata).toMatchObject({ ID: { string: "mine" }, other: { json: "[1]" }, DequeueCount: { json: "2" } });
  expect(metadata).not.toHaveProperty("Id");
});

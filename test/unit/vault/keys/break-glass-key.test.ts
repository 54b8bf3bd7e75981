import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBreakGlassKey } from "../../../../lib/vault/keys/break-glass-key.ts";
import { goldenPair } from "../../../support/golden-keys.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resguardo-glass-"));
});

afterAll(() => rm(folder, { recursive: true }));

const { privateKey, publicKey } = goldenPair("break-glass");

async function file(text: string): Promise<string> {
  const path = join(folder, `${Math.random()}.pem`);
  await writeFile(path, text);
  return path;
}

const plain = () => privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const locked = (type: "pkcs8" | "pkcs1") =>
  privateKey.export({ type, format: "pem", cipher: "aes-256-cbc", passphrase: "correct horse" }).toString();

async function problem(text: string, passphrase?: string): Promise<unknown> {
  return readBreakGlassKey(await file(text), passphrase).catch((error: unknown) => error);
}

describe("a key from the safe", () => {
  it("is read whoever may read its file, with its passphrase where it has one", async () => {
    const open = await file(plain());
    await chmod(open, 0o755);
    expect((await readBreakGlassKey(open)).equals(privateKey)).toBe(true);
    for (const type of ["pkcs8", "pkcs1"] as const) {
      expect((await readBreakGlassKey(await file(locked(type)), "correct horse")).equals(privateKey)).toBe(true);
    }
  });

  it.each([
    ["a public key", () => publicKey.export({ type: "spki", format: "pem" }).toString(), "found a public key"],
    ["no key", () => "hello", "found no PEM key"],
    ["a key that was cut", () => plain().slice(0, 400), "damaged"],
    ["a key with a passphrase", () => locked("pkcs8"), "it has a passphrase, and none was given"],
    [
      "a signing key",
      () => goldenPair("sign").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      "found ec prime256v1, expected RSA",
    ],
    [
      "a short key",
      () =>
        generateKeyPairSync("rsa", { modulusLength: 2048 })
          .privateKey.export({ type: "pkcs8", format: "pem" })
          .toString(),
      "found RSA with 2048 bits",
    ],
  ])("is refused when the file holds %s", async (_what, text, message) => {
    expect(await problem(text())).toMatchObject({ code: "KEY_INVALID", message: expect.stringContaining(message) });
  });

  it("is refused with a wrong passphrase, and where there is no file", async () => {
    expect(await problem(locked("pkcs8"), "wrong")).toMatchObject({
      code: "KEY_INVALID",
      message: expect.stringContaining("the passphrase does not open it"),
    });
    await expect(readBreakGlassKey(join(folder, "absent"))).rejects.toMatchObject({ code: "KEY_INVALID" });
  });
});

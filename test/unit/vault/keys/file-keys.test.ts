import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { initKeys, readEncryptionKey, readPrivateKey, readPublicKey } from "../../../../lib/vault/keys/file-keys.ts";
import { makeDataKey, unwrapDataKey, wrapDataKey } from "../../../../lib/vault/keys/data-key.ts";
import { keyIdOf } from "../../../../lib/vault/keys/key.ts";
import { localDecryptionKey, localSigningKey } from "../../../../lib/vault/keys/local-keys.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resguardo-keys-"));
  await initKeys(join(folder, "keys"));
});

afterAll(() => rm(folder, { recursive: true }));

function path(name: string): string {
  return join(folder, "keys", name);
}

function pem(type: "rsa" | "ec", half: "public" | "private", bits = 2048): string {
  const { publicKey, privateKey } =
    type === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: bits })
      : generateKeyPairSync("ec", { namedCurve: "P-384" });
  return (
    half === "public"
      ? publicKey.export({ type: "spki", format: "pem" })
      : privateKey.export({ type: "pkcs8", format: "pem" })
  ).toString();
}

describe("keys init", () => {
  it("makes three pairs, the private halves readable by their owner only", async () => {
    const names = await readdir(join(folder, "keys"));
    expect(names.toSorted()).toEqual([
      "break-glass.key.pem",
      "break-glass.pub.pem",
      "encrypt.key.pem",
      "encrypt.pub.pem",
      "sign.key.pem",
      "sign.pub.pem",
    ]);
    for (const name of names.filter((item) => item.includes(".key."))) {
      expect((await stat(path(name))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(join(folder, "keys"))).mode & 0o777).toBe(0o700);
  });

  it("says what each file is for, and its key's id", async () => {
    const files = await initKeys(join(folder, "other"));
    expect(files).toHaveLength(6);
    const glass = files.find((file) => file.path.endsWith("break-glass.key.pem"));
    expect(glass).toMatchObject({ isPrivate: true, purpose: expect.stringContaining("safe") });
    expect(glass?.keyId).toBe(keyIdOf(await readPublicKey(join(folder, "other", "break-glass.pub.pem"), "RSA")));
  });

  it("never overwrites a key, nor adds to a set that is there in part", async () => {
    const before = await readFile(path("encrypt.key.pem"), "utf8");
    await expect(initKeys(join(folder, "keys"))).rejects.toMatchObject({ code: "KEY_EXISTS" });
    expect(await readFile(path("encrypt.key.pem"), "utf8")).toBe(before);

    const part = await mkdtemp(join(folder, "part-"));
    await writeFile(join(part, "sign.pub.pem"), "x");
    await expect(initKeys(part)).rejects.toMatchObject({
      code: "KEY_EXISTS",
      message: expect.stringContaining("sign.pub.pem"),
    });
    expect(await readdir(part)).toEqual(["sign.pub.pem"]);
  });

  it("says that a folder can't be written to", async () => {
    const file = join(folder, "file");
    await writeFile(file, "x");
    await expect(initKeys(join(file, "keys"))).rejects.toMatchObject({
      code: "KEY_INVALID",
      message: expect.stringContaining("can't be written"),
    });
  });

  it("makes keys that wrap, unwrap and sign", async () => {
    const dataKey = makeDataKey();
    const recipient = wrapDataKey(dataKey, "vault", await readEncryptionKey(path("encrypt.pub.pem")));
    const privateKey = await readPrivateKey(path("encrypt.key.pem"), "RSA", "keys.encrypt.privateKey");
    expect(await unwrapDataKey([recipient], [localDecryptionKey(privateKey)])).toEqual(dataKey);
    const signing = localSigningKey(await readPrivateKey(path("sign.key.pem"), "EC", "keys.sign.privateKey"));
    expect(signing.keyId).toBe(keyIdOf(await readPublicKey(path("sign.pub.pem"), "EC")));
  });
});

describe("a private key", () => {
  it("is taken as PEM text, also with its line ends written out", async () => {
    const text = await readFile(path("sign.key.pem"), "utf8");
    const oneLine = text.replaceAll("\n", String.raw`\n`);
    const [one, other] = await Promise.all([text, oneLine].map((value) => readPrivateKey(value, "EC", "f")));
    expect(one?.equals(other ?? one)).toBe(true);
  });

  it("is refused in a file that others may read", async () => {
    const open = join(folder, "open.pem");
    await writeFile(open, await readFile(path("sign.key.pem")));
    for (const mode of [0o640, 0o604, 0o620]) {
      await chmod(open, mode);
      await expect(readPrivateKey(open, "EC", "keys.sign.privateKey")).rejects.toMatchObject({
        code: "KEY_INVALID",
        message: expect.stringContaining("mode 0"),
      });
    }
  });

  it("is never repeated in a message, not even when it is mistyped", async () => {
    const secret = "MIGHAgEAMBMGByqGSM49";
    const error = await readPrivateKey(secret, "EC", "keys.sign.privateKey").catch(String);
    expect(error).not.toContain(secret);
    expect(error).toContain("keys.sign.privateKey: neither PEM text nor a readable file");
  });

  it.each([
    ["RSA", "rsa", "RSA with 2048 bits"],
    ["RSA", "ec", "ec secp384r1"],
    ["EC", "ec", "ec secp384r1"],
    ["EC", "rsa", "RSA with 2048 bits"],
  ] as const)("for %s is refused when it is %s: found %s", async (use, type, found) => {
    await expect(readPrivateKey(pem(type, "private"), use, "f")).rejects.toMatchObject({
      code: "KEY_INVALID",
      message: expect.stringContaining(`found ${found}`),
    });
  });
});

describe("a public key", () => {
  it("is refused when the file holds a private one, is missing or is not PEM", async () => {
    await expect(readPublicKey(path("sign.key.pem"), "EC")).rejects.toMatchObject({
      message: expect.stringContaining("found a private key"),
    });
    await expect(readPublicKey(path("absent.pem"), "EC")).rejects.toMatchObject({ code: "KEY_INVALID" });
    await writeFile(path("text.pem"), "hello");
    await expect(readPublicKey(path("text.pem"), "EC")).rejects.toMatchObject({ code: "KEY_INVALID" });
  });
});

describe("a data key", () => {
  it("says which keys it is wrapped for when none of them is at hand", async () => {
    const recipient = wrapDataKey(makeDataKey(), "break-glass", await readEncryptionKey(path("break-glass.pub.pem")));
    const other = localDecryptionKey(await readPrivateKey(path("encrypt.key.pem"), "RSA", "f"));
    await expect(unwrapDataKey([recipient], [other])).rejects.toMatchObject({
      code: "KEY_NOT_RECIPIENT",
      message: expect.stringContaining(`${recipient.keyId} (break-glass)`),
    });
    await expect(unwrapDataKey([recipient], [])).rejects.toMatchObject({
      message: expect.stringContaining("found none"),
    });
  });

  it("is not given out when its wrapped copy was changed", async () => {
    const recipient = wrapDataKey(makeDataKey(), "vault", await readEncryptionKey(path("encrypt.pub.pem")));
    const bytes = Buffer.from(recipient.wrappedKey, "base64");
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    const key = localDecryptionKey(await readPrivateKey(path("encrypt.key.pem"), "RSA", "f"));
    await expect(unwrapDataKey([{ ...recipient, wrappedKey: bytes.toString("base64") }], [key])).rejects.toMatchObject({
      code: "KEY_NOT_RECIPIENT",
    });
  });
});

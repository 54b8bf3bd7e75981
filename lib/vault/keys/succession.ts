import { createPublicKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { encodePart, verifyEs256 } from "./certificate.ts";
import { keyIdOf, type SigningKey, type TrustedKey, type TrustedKeys } from "./key.ts";

/*
 * A succession says that one signing key is followed by another, and is signed by both: so who believes the first believes the
 * second, and who believes the second believes what the first signed in its time. One signature would not do: anybody
 * could name a key of his own as the one that a trusted key came after. Documented in docs/format.md, "Successions".
 */

export interface Succession {
  predecessor: KeyObject;
  successor: KeyObject;
  madeAt: Date;
  /** What the predecessor signs later is refused. */
  retiresAt: Date;
}

const TYPE = "resguardo-succession";
const party = z.object({ keyId: z.string(), publicKey: z.base64() });
const payloadSchema = z.object({
  format: z.literal(TYPE),
  version: z.literal(1),
  predecessor: party,
  successor: party,
  madeAt: z.iso.datetime(),
  retiresAt: z.iso.datetime(),
});
const base64url = z.string().regex(/^[A-Za-z0-9_-]+$/);
const documentSchema = z.object({
  payload: base64url,
  signatures: z.tuple([
    z.object({ protected: base64url, signature: base64url }),
    z.object({ protected: base64url, signature: base64url }),
  ]),
});
const headerSchema = z.object({ alg: z.literal("ES256"), typ: z.literal(TYPE), kid: z.string() });

/** Signs a succession with both keys: a general JWS, the predecessor's signature first. Throws what the keys throw. */
export async function signSuccession(
  predecessor: SigningKey,
  successor: SigningKey,
  time: Pick<Succession, "madeAt" | "retiresAt">,
): Promise<Buffer> {
  const payload = encodePart({
    format: TYPE,
    version: 1,
    predecessor: describe(predecessor),
    successor: describe(successor),
    madeAt: time.madeAt.toISOString(),
    retiresAt: time.retiresAt.toISOString(),
  });
  const signatures = [];
  for (const key of [predecessor, successor]) {
    const header = encodePart({ alg: "ES256", typ: TYPE, kid: key.keyId });
    const signature = await key.sign(Buffer.from(`${header}.${payload}`, "ascii"));
    signatures.push({ protected: header, signature: signature.toString("base64url") });
  }
  return Buffer.from(`${JSON.stringify({ payload, signatures }, undefined, 1)}\n`);
}

/** Reads a succession and verifies both signatures, which says nothing of who the two are. Throws SIGNATURE_INVALID. */
export function readSuccession(bytes: Buffer, name: string): Succession {
  const { payload, signatures } = parse(documentSchema, () => JSON.parse(bytes.toString("utf8")), name);
  const content = parse(payloadSchema, () => decode(payload), name);
  const keys = [content.predecessor, content.successor].map((found) => readParty(found, name)) as [
    KeyObject,
    KeyObject,
  ];
  for (const [index, key] of keys.entries()) {
    const { protected: header = "", signature = "" } = signatures[index] ?? {};
    const { kid } = parse(headerSchema, () => decode(header), name);
    if (kid !== keyIdOf(key) || !verifyEs256(`${header}.${payload}`, signature, key)) {
      throw invalid(name, `the signature of key ${keyIdOf(key)} does not verify`);
    }
  }
  const [predecessor, successor] = keys;
  return { predecessor, successor, madeAt: new Date(content.madeAt), retiresAt: new Date(content.retiresAt) };
}

/** All keys that successions lead to from the given ones, in both directions, each with its retirement. Pure. */
export function followSuccessions(roots: readonly KeyObject[], successions: readonly Succession[]): TrustedKeys {
  const trusted = new Map<string, TrustedKey>(roots.map((publicKey) => [keyIdOf(publicKey), { publicKey }]));
  const links = successions.map((link) => ({ ...link, from: keyIdOf(link.predecessor), to: keyIdOf(link.successor) }));
  for (let found = -1; found !== trusted.size;) {
    found = trusted.size;
    for (const { from, to, predecessor, successor } of links) {
      if (trusted.has(from) && !trusted.has(to)) trusted.set(to, { publicKey: successor });
      if (trusted.has(to) && !trusted.has(from)) trusted.set(from, { publicKey: predecessor });
    }
  }
  for (const { from, retiresAt } of links) {
    const key = trusted.get(from);
    const isEarlier = key?.retiredAt === undefined || retiresAt < key.retiredAt;
    if (key && isEarlier) trusted.set(from, { ...key, retiredAt: retiresAt });
  }
  return trusted;
}

function describe({ keyId, publicKey }: SigningKey): z.output<typeof party> {
  return { keyId, publicKey: publicKey.export({ type: "spki", format: "der" }).toString("base64") };
}

function readParty({ keyId, publicKey }: z.output<typeof party>, name: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(publicKey, "base64"), type: "spki", format: "der" });
  } catch (error: unknown) {
    throw invalid(name, `the public key ${keyId} can't be read`, error);
  }
  if (keyIdOf(key) === keyId && key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
  throw invalid(name, `the public key that is called ${keyId} is another one`);
}

function decode(part: string): unknown {
  return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
}

function parse<Value>(schema: z.ZodType<Value>, read: () => unknown, name: string): Value {
  try {
    return schema.parse(read());
  } catch (error: unknown) {
    throw invalid(name, "it does not have the documented shape", error);
  }
}

function invalid(name: string, what: string, cause?: unknown): AppError {
  return new AppError("SIGNATURE_INVALID", `${name}: not a succession of signing keys: ${what}`, {
    hint: "It was changed, or written by somebody else; restore it from another vault, or name the newest key in the policy.",
    cause,
  });
}

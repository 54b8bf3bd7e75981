import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import type { SigningKey, TrustedKeys } from "./key.ts";

/** What a certificate says: this session key may sign from `notBefore` to `notAfter`. */
export interface Certificate {
  publicKey: KeyObject;
  notBefore: Date;
  notAfter: Date;
  /** Until then it may go on signing where it can't be renewed; what it signs after `notAfter` is reported. */
  graceUntil?: Date | undefined;
}

const TYPE = "resguardo-certificate";
const headerSchema = z.object({ alg: z.literal("ES256"), typ: z.literal(TYPE), kid: z.string() });
const instant = z.iso.datetime();
const claimsSchema = z.object({
  publicKey: z.base64(),
  notBefore: instant,
  notAfter: instant,
  graceUntil: instant.optional(),
});

/** Signs a certificate: a compact JWS with ES256. Throws what the signing key throws. */
export async function certify(signingKey: SigningKey, certificate: Certificate): Promise<string> {
  const claims = {
    publicKey: certificate.publicKey.export({ type: "spki", format: "der" }).toString("base64"),
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    ...(certificate.graceUntil && { graceUntil: certificate.graceUntil.toISOString() }),
  };
  const input = `${encodePart({ alg: "ES256", typ: TYPE, kid: signingKey.keyId })}.${encodePart(claims)}`;
  const signature = await signingKey.sign(Buffer.from(input, "ascii"));
  return `${input}.${signature.toString("base64url")}`;
}

/** Verified certificates by the key that vouches for them: the 60,000 records of a week's log have seven. */
const verified = new WeakMap<KeyObject, Map<string, Certificate>>();
const MAX_REMEMBERED = 1000;

/** Reads the certificate of the record `name` by one of the trusted keys; also says which. Throws SIGNATURE_INVALID. */
export function readCertificate(
  text: string,
  trusted: TrustedKeys,
  name: string,
): Certificate & { signingKeyId: string } {
  const [header = "", claims = "", signature = ""] = text.split(".");
  const { kid } = parsePart(header, headerSchema, name);
  const signingKey = trusted.get(kid);
  if (!signingKey) {
    throw new AppError(
      "SIGNATURE_INVALID",
      `${name}: its session key is certified by key ${kid}, which is not trusted`,
      {
        hint: "If the signing key was replaced, add the old public key; otherwise somebody else wrote this record.",
      },
    );
  }
  const known = verified.get(signingKey.publicKey) ?? new Map<string, Certificate>();
  verified.set(signingKey.publicKey, known);
  let certificate = known.get(text);
  if (certificate === undefined) {
    if (!verifyEs256(`${header}.${claims}`, signature, signingKey.publicKey)) {
      throw invalid(name, "its signature does not verify");
    }
    certificate = readClaims(claims, name);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(text, certificate);
  }
  return { ...certificate, signingKeyId: kid };
}

function readClaims(claims: string, name: string): Certificate {
  const { publicKey, notBefore, notAfter, graceUntil } = parsePart(claims, claimsSchema, name);
  return {
    publicKey: readSpki(publicKey, name),
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    ...(graceUntil !== undefined && { graceUntil: new Date(graceUntil) }),
  };
}

/** Whether `signature` (base64url; r and s, 64 bytes) is by the key over the ASCII text. */
export function verifyEs256(input: string, signature: string, publicKey: KeyObject): boolean {
  const bytes = Buffer.from(signature, "base64url");
  return (
    bytes.length === 64 &&
    verify("sha256", Buffer.from(input, "ascii"), { key: publicKey, dsaEncoding: "ieee-p1363" }, bytes)
  );
}

export function encodePart(value: object): string {
  return Buffer.from(JSON.stringify(value), "utf8").toString("base64url");
}

function parsePart<Value>(part: string, schema: z.ZodType<Value>, name: string): Value {
  try {
    return schema.parse(JSON.parse(Buffer.from(part, "base64url").toString("utf8")));
  } catch (error: unknown) {
    throw invalid(name, "it does not have the documented shape", error);
  }
}

function readSpki(base64: string, name: string): KeyObject {
  try {
    const publicKey = createPublicKey({ key: Buffer.from(base64, "base64"), type: "spki", format: "der" });
    if (publicKey.asymmetricKeyDetails?.namedCurve === "prime256v1") return publicKey;
  } catch (error: unknown) {
    throw invalid(name, "its public key can't be read", error);
  }
  throw invalid(name, "its public key is not on P-256");
}

function invalid(name: string, what: string, cause?: unknown): AppError {
  return new AppError("SIGNATURE_INVALID", `${name}: the certificate of its session key is not valid: ${what}`, {
    hint: "The record was changed, or written by something else; read it from another vault.",
    cause,
  });
}

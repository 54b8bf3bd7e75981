import { z } from "zod";
import { AppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import { type Certificate, encodePart, readCertificate, verifyEs256 } from "./keys/certificate.ts";
import type { TrustedKey, TrustedKeys } from "./keys/key.ts";
import { signEs256 } from "./keys/local-keys.ts";
import type { SessionSigner } from "./keys/session-key.ts";

/*
 * Every JSON record in a vault is a JWS in flattened JSON form (RFC 7515 §7.2.2), signed with ES256 by a session key whose
 * certificate is in the protected header. Documented in docs/format.md, "Signed records".
 */

/** What a record is; authenticated, so that one kind can't stand in for another. */
export type EnvelopeType =
  | "resguardo-damage"
  | "resguardo-quarantine"
  | "resguardo-manifest"
  | "resguardo-segment"
  | "resguardo-merged-log"
  | "resguardo-run"
  | "resguardo-proofs"
  | "resguardo-removal"
  | "resguardo-revision"
  | "resguardo-rewrap"
  | "resguardo-hold"
  | "resguardo-evidence"
  | "resguardo-key";

/** A record whose signature was verified. */
export interface OpenedEnvelope {
  /** The JSON inside, as it was signed; its shape is not checked yet. */
  payload: unknown;
  /** When it was signed, by the signer's clock, within the time of its certificate and of the signing key. */
  signedAt: string;
  /** Its session key had expired and could not be renewed: the end of the grace in which it may sign all the same. */
  graceUntil?: string;
  /** The trusted key that vouches for it. */
  signingKeyId: string;
}

const base64url = z.string().regex(/^[A-Za-z0-9_-]+$/);
const envelopeSchema = z.object({ protected: base64url, payload: base64url, signature: base64url });
const headerSchema = z.object({
  alg: z.literal("ES256"),
  typ: z.string(),
  signedAt: z.iso.datetime(),
  certificate: z.string(),
});

/** Signs a record; returns the bytes of its file. Throws what the signer throws. */
export async function signEnvelope(
  type: EnvelopeType,
  payload: object,
  signer: SessionSigner,
  clock: Clock,
): Promise<Buffer> {
  const session = await signer.current();
  // Read after the session key was made: a time before its certificate's would not verify.
  const header = { alg: "ES256", typ: type, kid: session.keyId, signedAt: clock().toISOString() };
  const parts = {
    protected: encodePart({ ...header, certificate: session.certificate }),
    payload: encodePart(payload),
  };
  const signature = signEs256(Buffer.from(`${parts.protected}.${parts.payload}`, "ascii"), session.privateKey);
  return Buffer.from(`${JSON.stringify({ ...parts, signature: signature.toString("base64url") }, undefined, 1)}\n`);
}

/**
 * Verifies a record. Throws MANIFEST_INVALID for what is no record of that type, SIGNATURE_INVALID for one that no trusted key
 * vouches for. `name` is the blob's, for messages.
 */
export function openEnvelope(bytes: Buffer, type: EnvelopeType, trusted: TrustedKeys, name: string): OpenedEnvelope {
  const { type: found, ...opened } = openAnyEnvelope(bytes, trusted, name);
  if (found === type) return opened;
  throw new AppError("MANIFEST_INVALID", `${name}: found a record of type "${found}", expected "${type}"`);
}

/** As `openEnvelope`, for whoever copies records and does not read them: also of a type that only a newer version knows. */
export function openAnyEnvelope(bytes: Buffer, trusted: TrustedKeys, name: string): OpenedEnvelope & { type: string } {
  const envelope = parse(() => envelopeSchema.parse(JSON.parse(bytes.toString("utf8"))), name);
  const header = parse(() => headerSchema.parse(decodePart(envelope.protected)), name);
  const certificate = readCertificate(header.certificate, trusted, name);
  if (!verifyEs256(`${envelope.protected}.${envelope.payload}`, envelope.signature, certificate.publicKey)) {
    throw invalidSignature(name, "its signature does not verify");
  }
  const grace = graceOf(certificate, header.signedAt, name);
  assertNotRetired(trusted.get(certificate.signingKeyId), header.signedAt, name);
  const payload = parse(() => decodePart(envelope.payload), name);
  return { type: header.typ, payload, signedAt: header.signedAt, signingKeyId: certificate.signingKeyId, ...grace };
}

/** Refuses what was signed outside the time of its session key; says so where that was over and its grace was not. */
function graceOf(certificate: Certificate, time: string, name: string): Pick<OpenedEnvelope, "graceUntil"> {
  const signedAt = new Date(time);
  const { notBefore, notAfter, graceUntil = notAfter } = certificate;
  if (signedAt < notBefore || signedAt > graceUntil) {
    throw invalidSignature(name, `it was signed at ${time}, outside the time of its session key`);
  }
  return signedAt > notAfter ? { graceUntil: graceUntil.toISOString() } : {};
}

function assertNotRetired(key: TrustedKey | undefined, time: string, name: string): void {
  const { retiredAt } = key ?? {};
  if (retiredAt === undefined || new Date(time) <= retiredAt) return;
  throw invalidSignature(
    name,
    `it was signed at ${time}, and its signing key was retired at ${retiredAt.toISOString()}`,
  );
}

function decodePart(part: string): unknown {
  return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
}

function parse<Value>(read: () => Value, name: string): Value {
  try {
    return read();
  } catch (error: unknown) {
    throw new AppError("MANIFEST_INVALID", `${name}: not a signed record of the documented shape`, {
      hint: "The record is damaged or was written by something else; read it from another vault.",
      cause: error,
    });
  }
}

function invalidSignature(name: string, what: string): AppError {
  return new AppError("SIGNATURE_INVALID", `${name}: ${what}`, {
    hint: "The record was changed after it was signed, or somebody else wrote it; read it from another vault.",
  });
}

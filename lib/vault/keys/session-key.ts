import { createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { type AppError, toAppError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";
import { certify } from "./certificate.ts";
import { keyIdOf, type SigningKey } from "./key.ts";

/*
 * The signing key may lie in a key service, so it does not sign manifests: once a day it certifies a session key that
 * lives in this process only.
 *   none -> fresh -> due for renewal (still signs while the renewal fails) -> expired, in grace (signs, told with each
 *   renewal that fails; readers see it by `signedAt`) -> over (signs nothing)
 */

const generate = promisify(generateKeyPair);
const VALID_MS = 24 * 3_600_000;
/** A clock that is set back a little between the certificate and a signature must not make the signature void. */
const BACKDATED_MS = 5 * 60_000;
/** Nothing is begun with a key that may expire before it is signed. */
const SPENT_BEFORE_MS = 60_000;
/** From this time before its end on, a renewal is tried with each use. */
const RENEW_BEFORE_MS = 6 * 3_600_000;
/** Pause after a renewal that failed while the old key still signs. */
const RETRY_AFTER_MS = 60_000;

export interface SessionKey {
  keyId: string;
  privateKey: KeyObject;
  /** Compact JWS by the signing key over the public half and its time. */
  certificate: string;
  notBefore: Date;
  notAfter: Date;
  /** The end of its grace; `notAfter` where it has none. */
  graceUntil: Date;
}

export interface SessionSigner {
  /** The long-lived key behind it. */
  readonly signingKey: Pick<SigningKey, "keyId" | "publicKey">;
  /**
   * A session key that may sign now. Throws KEY_SERVICE_UNAVAILABLE or KEY_SERVICE_REFUSED when none may and none can be had,
   * and what `reopen` throws.
   */
  current(): Promise<SessionKey>;
}

export interface SessionSignerOptions {
  signingKey: SigningKey;
  clock: Clock;
  /** The signing key as it is at a later renewal: another one may have followed it. Default: the same. */
  reopen?: () => Promise<SigningKey>;
  /** How long after its end a session key that can't be renewed goes on signing. Default 0 ms. */
  graceMs?: number;
  /** Told of a renewal that failed while the old key still signs. */
  onRenewalFailed?: (error: AppError, old: SessionKey) => void;
}

export function openSessionSigner(options: SessionSignerOptions): SessionSigner {
  const { clock, reopen, graceMs = 0, onRenewalFailed = () => {} } = options;
  let { signingKey } = options;
  let session: SessionKey | undefined;
  let renewal: Promise<SessionKey> | undefined;
  let retryAt = 0;

  const renew = async (): Promise<SessionKey> => {
    if (session && reopen) signingKey = await reopen();
    return makeSession(signingKey, clock(), graceMs);
  };

  return {
    get signingKey() {
      return signingKey;
    },
    async current() {
      const now = clock().getTime();
      const old = session && isUsable(session, now) ? session : undefined;
      if (old && (old.notAfter.getTime() - now > RENEW_BEFORE_MS || now < retryAt)) return old;
      try {
        renewal ??= renew().finally(() => {
          renewal = undefined;
        });
        session = await renewal;
        return session;
      } catch (error: unknown) {
        if (!old) throw error;
        retryAt = now + RETRY_AFTER_MS;
        onRenewalFailed(toAppError(error), old);
        return old;
      }
    },
  };
}

function isUsable({ notBefore, graceUntil }: SessionKey, now: number): boolean {
  return now >= notBefore.getTime() && now < graceUntil.getTime() - SPENT_BEFORE_MS;
}

async function makeSession(signingKey: SigningKey, now: Date, graceMs: number): Promise<SessionKey> {
  const { privateKey } = await generate("ec", { namedCurve: "P-256" });
  const publicKey = createPublicKey(privateKey);
  const notBefore = new Date(now.getTime() - BACKDATED_MS);
  const notAfter = new Date(now.getTime() + VALID_MS);
  const graceUntil = new Date(notAfter.getTime() + graceMs);
  const certificate = await certify(signingKey, {
    publicKey,
    notBefore,
    notAfter,
    ...(graceMs > 0 && { graceUntil }),
  });
  return { keyId: keyIdOf(publicKey), privateKey, certificate, notBefore, notAfter, graceUntil };
}

import { reportError, toAppError } from "../core/errors.ts";
import type { Policy } from "../core/policy-schema.ts";
import { listNotes, type StoredNote } from "../vault/break-glass-note.ts";
import type { Vault } from "../vault/vault.ts";
import type { Alert } from "./alert.ts";
import type { WatchContext, WatchOutcome } from "./watch.ts";

/*
 * Each use of a key from the safe that left a note in a vault is told once: `watch-break-glass/{vault}` in its state names the
 * last note that was told. It moves on after the delivery, so a crash repeats an alert (same id).
 */

/** Tells who opened backups of a vault without the policy since the last look. */
export async function watchBreakGlass(
  vault: Vault,
  sources: Policy["sources"],
  watch: WatchContext,
): Promise<WatchOutcome[]> {
  const { state } = vault.storage;
  const key = `watch-break-glass/${vault.name}`;
  const outcomes: WatchOutcome[] = [];
  try {
    let told = await state.get(key);
    const after = told?.value.toString("utf8") ?? "";
    for (const stored of await listNotes(vault, after)) {
      const alert = alertOf(stored, vault, sources, watch);
      watch.logger.warn("break-glass-used", { ...alert });
      await watch.deliver?.(alert);
      const value = Buffer.from(stored.id);
      told = { value, etag: await state.put(key, value, told ? { etag: told.etag } : "absent") };
      outcomes.push({ source: alert.source, vault: vault.name, alert });
    }
  } catch (error: unknown) {
    const { kind, code } = toAppError(error);
    if (kind !== "storage" && code !== "WEBHOOK_FAILED") throw error;
    watch.logger.error("break-glass-untold", { vault: vault.name, ...reportError(error) });
    outcomes.push({ source: sources[0]?.name ?? "", vault: vault.name, undelivered: reportError(error) });
  }
  return outcomes;
}

/** What a note says is nobody's word but its own: anybody who can write into the vault can write one. */
function alertOf(
  { id, note }: StoredNote,
  vault: Vault,
  sources: Policy["sources"],
  { environment, clock }: WatchContext,
): Alert {
  const source = sources.find(({ name }) => name === note?.source) ?? sources[0];
  const use =
    note && `${note.command} of ${note.source} at ${note.at} by ${note.user} on ${note.host}, key ${note.keyId}`;
  return {
    v: 1,
    id: `${id}-${vault.name}`,
    at: clock().toISOString(),
    environment,
    source: source?.name ?? "",
    vault: vault.name,
    event: "break-glass",
    before: null,
    reason: {
      code: "BREAK_GLASS_USED",
      message: use ?? "a note that can't be read says that a key from the safe was used",
    },
    restorableUntil: null,
    provenSince: null,
    lagSeconds: null,
    rpoSeconds: 0,
  };
}

import { writeFile } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { toAppError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import type { Tool } from "../core/tool.ts";
import { BREAK_GLASS_NOTES, breakGlassNoteName, idInName } from "./names.ts";
import { readWhole } from "./record.ts";
import type { Vault } from "./vault.ts";

/*
 * Whoever opens backups with a key from the safe has no key to sign with, so what records it is a plain note: in the vault where
 * it can be written, and else in a file beside the terminal. It tells of an honest use. Against a dishonest one it is no
 * protection, for the key works without this product.
 */

const noteSchema = z.object({
  format: z.literal("resguardo-break-glass"),
  version: z.literal(1),
  id: z.string(),
  at: z.iso.datetime(),
  /** "restore", "verify", … */
  command: z.string().max(100),
  source: z.string().max(100),
  /** Of the private key. */
  keyId: z.string().max(100),
  host: z.string().max(300),
  user: z.string().max(300),
  tool: z.object({ name: z.string(), version: z.string(), commit: z.string().nullable() }),
});

export type BreakGlassNote = z.output<typeof noteSchema>;

/** A note as it lies in a vault; without content where it is not one that this version writes. */
export interface StoredNote {
  id: string;
  note: BreakGlassNote | undefined;
}

const MAX_NOTE_BYTES = 64 * 1024;

/** Leaves a note, and returns where: the name of a blob, or the path of a file in `folder`. Throws what keeps it from both. */
export async function leaveNote(
  vault: Vault,
  use: { command: string; source: string; keyId: string; tool: Tool; now: Date },
  folder: string,
): Promise<string> {
  const { command, source, keyId, tool, now } = use;
  const id = newId(now);
  const who = { host: hostname(), user: userInfo().username };
  const head = { format: "resguardo-break-glass", version: 1, id, at: now.toISOString() } as const;
  const note: BreakGlassNote = { ...head, command, source, keyId, ...who, tool };
  const bytes = Buffer.from(`${JSON.stringify(note, undefined, 1)}\n`);
  try {
    await vault.storage.data.create(breakGlassNoteName(id), bytes);
    return breakGlassNoteName(id);
  } catch (error: unknown) {
    // A vault that can only be read from is a good place to restore from.
    if (toAppError(error).kind !== "storage") throw error;
    const path = join(folder, `resguardo-break-glass-${id}.json`);
    await writeFile(path, bytes, { flag: "wx", mode: 0o644 });
    return path;
  }
}

/** The notes in a vault whose ids sort after `last`, oldest first. Throws what the storage throws. */
export async function listNotes(vault: Vault, last = ""): Promise<StoredNote[]> {
  const notes: StoredNote[] = [];
  const after = `${BREAK_GLASS_NOTES}${last}`;
  for await (const { name } of vault.storage.data.list(BREAK_GLASS_NOTES, { after })) {
    const id = idInName(name, BREAK_GLASS_NOTES);
    if (id !== undefined && id !== last) notes.push({ id, note: await readNote(vault, name) });
  }
  return notes;
}

async function readNote(vault: Vault, name: string): Promise<BreakGlassNote | undefined> {
  try {
    const bytes = await readWhole(vault, name, MAX_NOTE_BYTES);
    return noteSchema.safeParse(JSON.parse(bytes.toString("utf8"))).data;
  } catch (error: unknown) {
    if (error instanceof SyntaxError || toAppError(error).kind === "verify") return undefined;
    throw error;
  }
}

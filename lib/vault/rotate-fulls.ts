import { type CatalogueEntry, listBackups, type ValidBackup } from "./catalogue.ts";
import { signEnvelope } from "./envelope.ts";
import { revisionIn, revisionName } from "./names.ts";
import { describeRevision, includesAll } from "./revisions.ts";
import { inEach, rewrap, type Rotation, type RotationProblem, wantedKeys } from "./rotation.ts";
import type { Vault } from "./vault.ts";

export interface RotatedFulls {
  /** Full backups that were given a revision now. */
  revised: number;
  /** Those that the wanted keys open by a revision, written now or earlier. */
  ids: string[];
  problems: RotationProblem[];
}

/** One manifest, in the vaults that have it. */
interface Holding {
  backup: ValidBackup;
  places: { vault: Vault; backup: ValidBackup }[];
}

/** Writes a revision beside every manifest whose data key is not wrapped for the wanted keys. */
export async function rotateFulls(rotation: Rotation): Promise<RotatedFulls> {
  const { source, trusted, vaults, signal } = rotation;
  const listed = await vaults.forEach((vault) => listBackups({ vault, source, trusted, signal }));
  const rotated: RotatedFulls = { revised: 0, ids: [], problems: listed.flatMap(({ result }) => unreadable(result)) };
  const wanted = wantedKeys(rotation);
  for (const holding of holdingsOf(listed)) {
    signal.throwIfAborted();
    const { content, id } = holding.backup;
    const isOpen = ({ backup }: Holding["places"][number]) => includesAll(backup.content.encryption.recipients, wanted);
    const lacking = holding.places.filter((place) => !isOpen(place));
    if (lacking.length > 0) {
      const isDone = await revise(
        rotation,
        holding,
        lacking.map(({ vault }) => vault),
        rotated,
      );
      if (isDone) rotated.revised++;
      if (isDone) rotated.ids.push(id);
    } else if (holding.places.some(({ backup }) => isRevised(backup, wanted))) rotated.ids.push(id);
    rotation.onDone(content.totals.storedBytes);
  }
  return rotated;
}

async function revise(
  rotation: Rotation,
  { backup, places }: Holding,
  lacking: readonly Vault[],
  rotated: RotatedFulls,
): Promise<boolean> {
  const { source, tool, policyHash, signer, clock, vaults } = rotation;
  const { id, sha256 } = backup;
  const wrapped = places.flatMap((place) => place.backup.content.encryption.recipients);
  const onProblem = (error: RotationProblem["error"]) => rotated.problems.push({ blob: backup.name, error });
  const recipients = await rewrap(rotation, wrapped, onProblem);
  if (recipients === undefined) return false;
  const taken = places.flatMap((place) => place.backup.revisions ?? []).map(({ name }) => revisionIn(source, name));
  const revision = Math.max(1, ...taken.map((place) => place?.revision ?? 1)) + 1;
  const content = {
    id,
    source,
    revision,
    manifest: sha256,
    madeAt: clock().toISOString(),
    tool,
    policyHash,
    recipients,
  };
  const bytes = await signEnvelope("resguardo-revision", describeRevision(content), signer, clock);
  await inEach(vaults, lacking, async (vault) => {
    await vault.storage.data.create(revisionName(source, id, revision), bytes);
  });
  return true;
}

function holdingsOf(listed: readonly { vault: Vault; result: CatalogueEntry[] }[]): Holding[] {
  const holdings = new Map<string, Holding>();
  for (const { vault, result } of listed) {
    for (const backup of result) {
      if (backup.state !== "valid") continue;
      const key = `${backup.id} ${backup.sha256}`;
      const holding = holdings.get(key) ?? { backup, places: [] };
      holding.places.push({ vault, backup });
      holdings.set(key, holding);
    }
  }
  return [...holdings.values()].toSorted((a, b) => (a.backup.id < b.backup.id ? -1 : 1));
}

function isRevised({ revisions = [] }: ValidBackup, wanted: ReturnType<typeof wantedKeys>): boolean {
  return revisions.some((found) => found.state === "valid" && includesAll(found.content.recipients, wanted));
}

function unreadable(entries: readonly CatalogueEntry[]): RotationProblem[] {
  return entries.flatMap((entry) => (entry.state === "invalid" ? [{ blob: entry.name, error: entry.error }] : []));
}

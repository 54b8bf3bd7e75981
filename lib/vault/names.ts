import { isId } from "../core/ids.ts";
import { encodeNamePart } from "./storage/blob-name.ts";

/*
 * Where things lie in a vault. Manifests stand apart from the data, so that the catalogue is one short listing however many
 * blobs a backup has. Documented in docs/format.md; a name never changes.
 */

/** Where the records of one kind and source lie, named by their ids. */
export interface RecordPlace {
  prefix: string;
  nameOf: (id: string) => string;
}

/** Below it lies all that a vault holds of a source. */
export function sourcePrefix(source: string): string {
  return `${encodeNamePart(source)}/`;
}

/** The manifests of a source's full backups. */
export function fullPlace(source: string): RecordPlace {
  const prefix = `${encodeNamePart(source)}/full/`;
  return { prefix, nameOf: (id) => `${prefix}${id}/manifest.json` };
}

/** The log segments of a source: each blob is its manifest and its data. Merged blobs lie among them. */
export function logPlace(source: string): RecordPlace {
  const prefix = `${encodeNamePart(source)}/log/`;
  return { prefix, nameOf: (id) => `${prefix}${id}` };
}

/**
 * The name of a blob that segments were merged into: the id of the last of them and one of its own. So a listing that starts
 * after some segment misses no blob that holds a later one.
 */
export function mergedName(source: string, lastId: string, id: string): string {
  return `${logPlace(source).prefix}${lastId}.${id}`;
}

/** The run records of a source. */
export function runPlace(source: string): RecordPlace {
  const prefix = `${encodeNamePart(source)}/runs/`;
  return { prefix, nameOf: (id) => `${prefix}${id}.json` };
}

/** The ledgers of proofs of a source, by the runs that made them. */
export function proofsPlace(source: string): RecordPlace {
  const prefix = `${encodeNamePart(source)}/proofs/`;
  return { prefix, nameOf: (id) => `${prefix}${id}.json` };
}

/** The records that announce what is removed from a source. */
export function removalPlace(source: string): RecordPlace {
  const prefix = `${encodeNamePart(source)}/removals/`;
  return { prefix, nameOf: (id) => `${prefix}${id}.json` };
}

/** Where revision 2 and later ones of a full backup's manifest lie: beside it, and before it in a listing. */
export function revisionName(source: string, id: string, revision: number): string {
  return `${fullPlace(source).prefix}${id}/manifest-${String(revision).padStart(4, "0")}.json`;
}

/** The backup and number of the revision whose blob is `name`; undefined for any other blob. */
export function revisionIn(source: string, name: string): { id: string; revision: number } | undefined {
  const { prefix } = fullPlace(source);
  const id = idInName(name, prefix);
  const revision = Number(/^\/manifest-(\d{4})\.json$/.exec(name.slice(prefix.length + (id?.length ?? 0)))?.[1]);
  return id !== undefined && revision >= 2 ? { id, revision } : undefined;
}

/** What rotations of keys wrapped anew for the log of a source. */
export function rewrapPlace(source: string): RecordPlace {
  const prefix = `${encodeNamePart(source)}/rewraps/`;
  return { prefix, nameOf: (id) => `${prefix}${id}.json` };
}

/** The records that hold a backup, and release it again. */
export function holdPlace(source: string): RecordPlace {
  const prefix = `${encodeNamePart(source)}/holds/`;
  return { prefix, nameOf: (id) => `${prefix}${id}.json` };
}

/** The id of the record whose blob is `name`; undefined for a blob that is no record of that place. */
export function idOfRecord({ prefix, nameOf }: RecordPlace, name: string): string | undefined {
  const id = idInName(name, prefix);
  return id !== undefined && nameOf(id) === name ? id : undefined;
}

/** The folder of the sealed blobs of all backups of a source, one folder a backup. */
export function dataPrefix(source: string): string {
  return `${encodeNamePart(source)}/data/`;
}

/** The names of everything of a source but the data, as two stretches of its listing. */
export function namesOutsideData(source: string): { prefix: string; after?: string; before?: string }[] {
  const prefix = `${encodeNamePart(source)}/`;
  const data = dataPrefix(source);
  // No allowed character sorts after "~", and folders of data are named by ids, which start with a digit.
  return [
    { prefix, before: data },
    { prefix, after: `${data}~` },
  ];
}

/** Where the blob lies that the manifest calls `blobName`, "rows/000001" for instance. */
export function dataName(source: string, id: string, blobName: string): string {
  return `${dataPrefix(source)}${id}/${blobName}`;
}

/** What is known of damage in the vaults of a source: signed statements about blobs. */
export function damagePlace(source: string): RecordPlace {
  const prefix = `${encodeNamePart(source)}/damage/`;
  return { prefix, nameOf: (id) => `${prefix}${id}.json` };
}

/** The ids in the name of a merged blob: of its last segment, and its own. */
export function idsInMergedName(source: string, name: string): { lastId: string; mergedId: string } | undefined {
  const place = logPlace(source);
  const lastId = idInName(name, place.prefix);
  const mergedId = lastId && idInName(name, `${place.nameOf(lastId)}.`);
  return mergedId && mergedName(source, lastId, mergedId) === name ? { lastId, mergedId } : undefined;
}

/** The id of what a blob belongs to: a backup, a segment (of a merged blob, its last), a run; undefined for a blob without one. */
export function idOfBlob(source: string, name: string): string | undefined {
  const [, place] = name.startsWith(`${encodeNamePart(source)}/`) ? name.split("/") : [];
  return place === undefined ? undefined : idInName(name, `${encodeNamePart(source)}/${place}/`);
}

/** Where the public key lies whose `keyIdOf` is `keyId`. */
export function keyName(keyId: string): string {
  return `${KEYS_PREFIX}${keyId}.json`;
}

/** The published public keys. */
export const KEYS_PREFIX = "keys/";

/** Where the bytes go that were found in the blob `name` and did not belong there; a signed note lies beside them. */
export function quarantineName(name: string, sha256: string): string {
  return `quarantine/${name}/${sha256}`;
}

/** Unsigned notes of who opened backups with a key from the safe. */
export const BREAK_GLASS_NOTES = "break-glass/";

export function breakGlassNoteName(id: string): string {
  return `${BREAK_GLASS_NOTES}${id}.json`;
}

/** Where it is said which signing key follows another; a key has one successor, so the name is the predecessor's. */
export const SUCCESSIONS = "keys/successions/";

export function successionName(predecessorId: string): string {
  return `${SUCCESSIONS}${predecessorId}.json`;
}

/** The identifier that follows `prefix` in a blob name, or undefined where none does. */
export function idInName(name: string, prefix: string): string | undefined {
  const id = /^[^./]+/.exec(name.slice(prefix.length))?.[0];
  return name.startsWith(prefix) && id !== undefined && isId(id) ? id : undefined;
}

/** What every id made at `time` or later is greater than or equal to. */
export function idStart(time: Date): string {
  return time.toISOString().replace(/[-:.]/g, "");
}

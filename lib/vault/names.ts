import { isId } from "../core/ids.ts";
import { encodeNamePart } from "./storage/blob-name.ts";

/*
 * Where things lie in a vault. Manifests stand apart from the data, so that the catalogue is one short listing however many
 * blobs a backup has. Documented in docs/format.md; a name never changes.
 */

/** The folder of a source's manifests of full backups. */
export function fullPrefix(source: string): string {
  return `${encodeNamePart(source)}/full/`;
}

export function manifestName(source: string, id: string): string {
  return `${fullPrefix(source)}${id}/manifest.json`;
}

/** The folder of the sealed blobs of all backups of a source, one folder a backup. */
export function dataPrefix(source: string): string {
  return `${encodeNamePart(source)}/data/`;
}

/** Where the blob lies that the manifest calls `blobName`, "rows/000001" for instance. */
export function dataName(source: string, id: string, blobName: string): string {
  return `${dataPrefix(source)}${id}/${blobName}`;
}

/** The folder of a source's run records. */
export function runPrefix(source: string): string {
  return `${encodeNamePart(source)}/runs/`;
}

export function runName(source: string, id: string): string {
  return `${runPrefix(source)}${id}.json`;
}

/** Where the public key lies whose `keyIdOf` is `keyId`. */
export function keyName(keyId: string): string {
  return `keys/${keyId}.json`;
}

/** The identifier that follows `prefix` in a blob name, or undefined where none does. */
export function idInName(name: string, prefix: string): string | undefined {
  const id = /^[^./]+/.exec(name.slice(prefix.length))?.[0];
  return name.startsWith(prefix) && id !== undefined && isId(id) ? id : undefined;
}

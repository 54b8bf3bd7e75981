import { AppError } from "../core/errors.ts";
import { isId } from "../core/ids.ts";
import { compareBlob } from "./compare-blob.ts";
import { type EnvelopeType, openEnvelope } from "./envelope.ts";
import { readMerged } from "./merged-blob.ts";
import { proveMerged } from "./prove-merged.ts";
import { readWhole } from "./record.ts";
import { type LogBlob, segmentIdsInName } from "./segment-blobs.ts";
import { readSegment, type SegmentQuery, type ValidSegment } from "./segment-head.ts";
import { assertValid } from "./segment-heads.ts";
import type { VaultLedger } from "./verify-ledger.ts";
import type { Look } from "./verify-look.ts";
import type { StoredThing } from "./proofs.ts";

/** The signed records of a source that are blobs of their own, by the folder that they lie in. */
const RECORD_TYPES: Readonly<Record<string, EnvelopeType>> = {
  runs: "resguardo-run",
  proofs: "resguardo-proofs",
  removals: "resguardo-removal",
  damage: "resguardo-damage",
  holds: "resguardo-hold",
};
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Reads a signed record back; returns what it says. Throws what is wrong with it, and what the storage throws. */
export async function lookAtRecord(look: Look, ledger: VaultLedger, place: string, name: string): Promise<unknown> {
  const { source, trusted, signal } = look;
  const blob = ledger.nameIn(place, name);
  const type = RECORD_TYPES[place];
  const id = name.endsWith(".json") ? name.slice(0, -".json".length) : "";
  if (type === undefined || !isId(id)) throw foreign(blob, "a name that this version never writes");
  const bytes = await readWhole(ledger.survey.vault, blob, MAX_RECORD_BYTES, signal);
  look.read(bytes.length);
  const { payload } = openEnvelope(bytes, type, trusted, blob);
  const said = Object(payload) as { id?: unknown; source?: unknown };
  if (said.id !== id || said.source !== source) throw foreign(blob, `the record ${String(said.id)}`);
  return payload;
}

/**
 * Reads a blob of the log back, one segment or many: signatures, sizes and SHA-256; with private keys the log as well. Throws as
 * `lookAtRecord`.
 */
export async function lookAtLog(look: Look, ledger: VaultLedger, thing: StoredThing): Promise<ValidSegment[]> {
  const { source, trusted, signal } = look;
  const { vault } = ledger.survey;
  const name = ledger.nameIn("log", thing.name);
  const ids = segmentIdsInName(source, name);
  if (ids === undefined) throw foreign(name, "a name that this version never writes");
  const query = { vault, source, trusted, ...(signal && { signal }) };
  const blob = { name, sizeBytes: thing.sizeBytes, ...ids };
  return blob.mergedId === undefined ? lookAtOne(look, query, blob) : lookAtMerged(look, query, blob);
}

async function lookAtOne(
  { deep, signal, read }: Look,
  query: SegmentQuery,
  { lastId, sizeBytes }: LogBlob,
): Promise<ValidSegment[]> {
  const segment = assertValid(await readSegment(query, { id: lastId, sizeBytes }));
  read(segment.dataOffset);
  const { data } = segment.content;
  if (deep === undefined || data.plainBytes === 0) {
    const place = { vault: query.vault, name: segment.name, offset: segment.dataOffset };
    await compareBlob(place, data, { signal, onRead: read });
  } else {
    await deep.openSegment(query, segment);
    read(data.sizeBytes);
  }
  return [segment];
}

/** One blob, however many segments are in it: it is proven when all of them are. */
async function lookAtMerged({ deep, read }: Look, query: SegmentQuery, blob: LogBlob): Promise<ValidSegment[]> {
  const merged = await readMerged(query, blob);
  if (merged.state === "invalid") {
    const { code, message, hint } = merged.error;
    throw new AppError(code, message, hint === undefined ? {} : { hint });
  }
  const { segments, problems } = await proveMerged(query, merged, read);
  const [first] = problems;
  if (first !== undefined) {
    const message = `segment ${first.id}, of ${problems.length} wrong: ${first.error.message}`;
    throw new AppError(first.error.code, message);
  }
  for (const segment of segments) {
    // A segment without log in it has nothing that could be opened.
    if (segment.content.data.plainBytes > 0) await deep?.openSegment(query, segment);
  }
  return segments;
}

function foreign(blob: string, found: string): AppError {
  return new AppError("MANIFEST_INVALID", `${blob}: found ${found}, expected the record of its name`, {
    hint: "Somebody put something else in its place; read it from another vault.",
  });
}

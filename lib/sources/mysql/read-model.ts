import { AppError } from "../../core/errors.ts";
import type { BackupReader } from "../../vault/backup-reader.ts";
import type { SchemaModel } from "./schema-model.ts";

const VERSION = 1;

/** Reads a backup's definitions. Throws MANIFEST_VERSION, MANIFEST_INVALID, and what reading a blob throws. */
export async function readModel(reader: BackupReader): Promise<SchemaModel> {
  const { manifest } = reader;
  const blob = manifest.blobs.find(({ role }) => role === "schema");
  if (blob === undefined) throw invalid(manifest.id, "its manifest names no blob with definitions");
  const pieces: Buffer[] = [];
  for await (const piece of reader.readBlob(blob.name)) pieces.push(piece);
  const model = parse(Buffer.concat(pieces).toString());
  if (typeof model !== "object" || model === null || !("version" in model)) {
    throw invalid(manifest.id, `blob "${blob.name}" holds no definitions`);
  }
  if (model.version === VERSION) return model as SchemaModel;
  throw new AppError(
    "MANIFEST_VERSION",
    `backup ${manifest.id}: definitions of version ${String(model.version)}, expected ${VERSION}`,
    {
      hint: "A newer version of this product wrote it; use that version to restore it.",
    },
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Judged by the caller, as text without the wanted shape.
    return undefined;
  }
}

function invalid(backupId: string, found: string): AppError {
  return new AppError("MANIFEST_INVALID", `backup ${backupId}: ${found}`, {
    hint: "It is signed, so the program that wrote it is defective or of another kind; restore an older backup.",
  });
}

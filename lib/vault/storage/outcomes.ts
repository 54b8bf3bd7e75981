import { AppError } from "../../core/errors.ts";

/** The answers that mean the same in every storage. */
export function blobExists(label: string, name: string, cause?: unknown): AppError {
  return new AppError("BLOB_EXISTS", `vault ${label}: blob ${JSON.stringify(name)} exists already`, {
    hint: "Nothing in a vault is overwritten. Look who wrote it: two workers with one backup id would be a defect.",
    cause,
  });
}

export function blobMissing(label: string, name: string, cause?: unknown): AppError {
  return new AppError("BLOB_MISSING", `vault ${label}: there is no blob ${JSON.stringify(name)}`, {
    hint: "Run `resguardo verify` to see what else is missing, and restore from another vault of the source.",
    cause,
  });
}

export function blobChanged(label: string, name: string, cause?: unknown): AppError {
  return new AppError("BLOB_DAMAGED", `vault ${label}: blob ${JSON.stringify(name)} changed while it was read`, {
    hint: "Blobs are never changed by this product: find out who replaced or removed it, and restore from another vault.",
    cause,
  });
}

export function stateConflict(label: string, key: string, cause?: unknown): AppError {
  return new AppError("STATE_CONFLICT", `vault ${label}: state record ${JSON.stringify(key)} is not the one expected`, {
    hint: "Somebody else changed it first: read it again and decide anew.",
    cause,
  });
}

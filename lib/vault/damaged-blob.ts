import { AppError } from "../core/errors.ts";

/** A blob that a manifest names is not what the manifest says. `found` and `expected` have the unit in them. */
export function damagedBlob(vault: string, name: string, found: string, expected: string): AppError {
  return new AppError("BLOB_DAMAGED", `vault ${vault}: ${name} has ${found}, its manifest says ${expected}`, {
    hint: "Restore from another vault of the source, and run `resguardo verify` to see what else is damaged.",
  });
}

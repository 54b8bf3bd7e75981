import { randomBytes } from "node:crypto";
import { AppError } from "./errors.ts";

const ID = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-[0-9a-f]{8}$/;

/** An identifier of a backup or a run: its UTC time to the millisecond and 32 random bits, so that names sort by time. */
export function newId(now: Date): string {
  return `${now.toISOString().replace(/[-:.]/g, "")}-${randomBytes(4).toString("hex")}`;
}

/** Whether `text` has the form of `newId`. */
export function isId(text: string): boolean {
  return ID.test(text);
}

/** The instant in an identifier made by `newId`. Throws USAGE. */
export function idTime(id: string): Date {
  const match = ID.exec(id);
  if (!match) throw new AppError("USAGE", `not an identifier: found "${id}", expected "20261121T230413123Z-9f3a5c1e"`);
  const [, year, month, day, hour, minute, second, millisecond] = match;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${millisecond}Z`);
}

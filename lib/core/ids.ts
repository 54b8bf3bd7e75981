import { randomBytes } from "node:crypto";
import { AppError } from "./errors.ts";

const ID = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-[0-9a-f]{8}$/;

/** An identifier of a backup or a run: its UTC time to the millisecond and 32 random bits, so that names sort by time. */
export function newId(now: Date): string {
  return `${now.toISOString().replace(/[-:.]/g, "")}-${randomBytes(4).toString("hex")}`;
}

/** Whether `text` could have come from `newId`. */
export function isId(text: string): boolean {
  return timeIn(text) !== undefined;
}

/** The instant in an identifier made by `newId`. Throws USAGE. */
export function idTime(id: string): Date {
  const time = timeIn(id);
  if (time) return time;
  throw new AppError("USAGE", `not an identifier: found "${id}", expected "20261121T230413123Z-9f3a5c1e"`);
}

function timeIn(text: string): Date | undefined {
  const match = ID.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, millisecond] = match;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.${millisecond}Z`;
  const time = new Date(iso);
  // Date takes 31 February for 3 March.
  return !Number.isNaN(time.getTime()) && time.toISOString() === iso ? time : undefined;
}

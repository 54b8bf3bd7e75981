import { open } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../core/errors.ts";
import type { ValidSegment } from "../../vault/segment-head.ts";
import { BINLOG_MAGIC } from "./binlog/event.ts";
import { cutIntoRuns, logPositionOf, type ReadSegmentData } from "./binlog/log-stream.ts";
import type { LogRun } from "./binlog/log-position.ts";

/** A binlog file that was written out. */
export interface ExportedFile {
  /** Name in the folder: the server's own, behind its UUID, for two servers may have files of one name. */
  name: string;
  serverUuid: string;
  sizeBytes: number;
  /** It is the server's file from its first byte on, without a hole; its end may still be missing. */
  isWhole: boolean;
}

/**
 * Writes the log of segments, oldest first, as the server's binlog files into a folder. A file is byte-identical to the server's
 * as far as it goes. Where the log starts in the middle of a file, that file starts with the format description that holds
 * there, so that every tool reads it. Throws USAGE for a file that is there already, and what reading
 * the data throws.
 */
export async function exportBinlog(
  segments: readonly ValidSegment[],
  read: ReadSegmentData,
  folder: string,
): Promise<ExportedFile[]> {
  const files = new Map<string, ExportedFile & { end: number }>();
  for (const segment of segments) {
    const position = logPositionOf(segment);
    let written = 0;
    for await (const { run, bytes, isStart } of cutIntoRuns(segment, read, segment.content.data.plainBytes)) {
      const name = `${position.serverUuid}.${fileNameOf(run)}`;
      if (isStart) {
        written = 0;
        const known = files.get(name);
        if (known === undefined) {
          const start = startOf(run, position.formatDescription);
          await create(join(folder, name), start);
          const { serverUuid } = position;
          const isWhole = run.from === BINLOG_MAGIC.length;
          files.set(name, { name, serverUuid, sizeBytes: start.length, isWhole, end: run.from });
        } else if (known.end !== run.from) known.isWhole = false;
      }
      const file = files.get(name);
      if (file === undefined) throw new AppError("INVARIANT", `${name}: a run without a start`);
      await append(join(folder, name), bytes);
      written += bytes.length;
      file.sizeBytes += bytes.length;
      file.end = run.from + written;
    }
  }
  return Array.from(files.values(), ({ end: _end, ...file }) => file);
}

/** The server's name of a file could be anything; only its last part is one. */
function fileNameOf({ file }: LogRun): string {
  const name = file.split(/[/\\]/).at(-1) ?? "";
  if (/^[\w.-]+$/.test(name) && !name.startsWith(".")) return name;
  throw new AppError("MANIFEST_INVALID", `a binlog file is called ${JSON.stringify(file)}`);
}

function startOf(run: LogRun, formatDescription: string | null): Buffer {
  if (run.from === BINLOG_MAGIC.length || formatDescription === null) return BINLOG_MAGIC;
  return Buffer.concat([BINLOG_MAGIC, Buffer.from(formatDescription, "base64")]);
}

async function create(path: string, start: Buffer): Promise<void> {
  await using file = await openNew(path);
  await file.write(start);
}

async function openNew(path: string) {
  try {
    return await open(path, "wx", 0o600);
  } catch (error: unknown) {
    throw new AppError("USAGE", `${path}: can't be created`, {
      hint: "Export into a folder that exists and is empty.",
      cause: error,
    });
  }
}

async function append(path: string, bytes: Buffer): Promise<void> {
  await using file = await open(path, "a");
  await file.write(bytes);
}

import { AppError } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import { type ExportedFile, exportBinlog } from "../sources/mysql/export-binlog.ts";
import { type Context, vaultsOf } from "../vault/context.ts";
import { readValidSegments } from "../vault/segment-heads.ts";
import { listSegments } from "../vault/segment-index.ts";
import { logChains } from "../vault/segment-chain.ts";
import { SegmentReader } from "../vault/segment-reader.ts";

export interface ExportRequest {
  source: string;
  /** Existing folder. */
  folder: string;
  /** Default: the first vault of the source. */
  vault?: string | undefined;
}

/** Gives the newest unbroken log of a source back as the server's own files. Throws NO_BACKUP where there is none. */
export async function exportLog(context: Context, request: ExportRequest): Promise<ExportedFile[]> {
  const source = findSource(context.policy, request.source);
  const [vault] = vaultsOf(context, source, request.vault);
  if (vault === undefined) throw new AppError("INVARIANT", `${source.name}: a source without a vault`);
  const query = { vault, source: source.name, trusted: await context.trustedKeys() };
  const chain = logChains((await listSegments(query)).entries).at(-1);
  if (chain === undefined) {
    throw new AppError("NO_BACKUP", `${source.name}: there is no log in vault ${vault.name}`, {
      hint: `Run \`resguardo ship ${source.name}\`.`,
    });
  }
  const segments = await Array.fromAsync(readValidSegments(query, chain.segments));
  const reader = new SegmentReader(query, [await context.decryptionKey()]);
  return exportBinlog(segments, (segment) => reader.read(segment), request.folder);
}

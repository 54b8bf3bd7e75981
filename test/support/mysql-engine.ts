import { silentLogger } from "../../lib/core/log.ts";
import { noProgress } from "../../lib/core/progress.ts";
import type { RestoreRequest, SourceContext } from "../../lib/sources/engine.ts";
import { backupMysql } from "../../lib/sources/mysql/backup.ts";
import { MemoryBackup } from "./memory-backup.ts";
import { testSource } from "./policies.ts";

const context = { logger: silentLogger, progress: noProgress, signal: new AbortController().signal };

/** A source's policy with the defaults that matter to the engine. */
export function sourceContext(url: string, source: Partial<SourceContext["source"]> = {}): SourceContext {
  return {
    ...context,
    url: withoutPath(url),
    source: { ...testSource({ vaults: ["primary"] }), ...source },
  };
}

/** Backs a server up into memory. */
export async function backUp(url: string, source: Partial<SourceContext["source"]> = {}): Promise<MemoryBackup> {
  const backup = new MemoryBackup();
  return backup.commit(await backupMysql(sourceContext(url, source), backup));
}

/** A restore of everything onto an empty server; `request` says what is different. */
export function restoreRequest(targetUrl: string, request: Partial<RestoreRequest> = {}): RestoreRequest {
  return {
    ...context,
    targetUrl: withoutPath(targetUrl),
    rename: new Map(),
    intoNonEmpty: false,
    users: false,
    connections: 2,
    scratch: false,
    ...request,
  };
}

function withoutPath(text: string): string {
  const url = new URL(text);
  url.pathname = "/";
  return url.href;
}

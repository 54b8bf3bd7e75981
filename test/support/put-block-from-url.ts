import type { IncomingMessage } from "node:http";
import { createHash } from "node:crypto";
import { BlobServiceClient } from "@azure/storage-blob";
import type { ProxyAnswer } from "./fault-proxy.ts";

/**
 * What Azure's Put Block From URL does and Azurite does not: fetches the range from the URL, compares it with the MD5, and stages
 * it as a block. To be put in front of Azurite, to which `connectionString` leads.
 */
export function putBlockFromUrl(
  connectionString: string,
): (incoming: IncomingMessage) => Promise<ProxyAnswer> | undefined {
  const account = BlobServiceClient.fromConnectionString(connectionString);

  async function putBlock(incoming: IncomingMessage, sourceUrl: string): Promise<ProxyAnswer> {
    const url = new URL(incoming.url ?? "/", "http://localhost");
    const [, , container = "", ...name] = decodeURIComponent(url.pathname).split("/");
    const range = String(incoming.headers["x-ms-source-range"]);
    const source = await fetch(sourceUrl, { headers: { range } }).catch(() => undefined);
    if (!source?.ok) return refusal(source?.status ?? 404, "CannotVerifyCopySource");
    const bytes = Buffer.from(await source.arrayBuffer());
    const md5 = createHash("md5").update(bytes).digest("base64");
    if (md5 !== incoming.headers["x-ms-source-content-md5"]) return refusal(400, "Md5Mismatch");
    const blob = account.getContainerClient(container).getBlockBlobClient(name.join("/"));
    await blob.stageBlock(url.searchParams.get("blockid") ?? "", bytes, bytes.length);
    return { status: 201, headers: { "x-ms-version": "2021-12-02" } };
  }

  return (incoming) => {
    const sourceUrl = incoming.headers["x-ms-copy-source"];
    return typeof sourceUrl === "string" ? putBlock(incoming, sourceUrl) : undefined;
  };
}

function refusal(status: number, code: string): ProxyAnswer {
  return { status, headers: { "x-ms-error-code": code } };
}

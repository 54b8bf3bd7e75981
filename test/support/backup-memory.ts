// Run as a process of its own: backs up one database, keeps nothing, and prints what it read and the peak of its memory.
import { backupMysql } from "../../lib/sources/mysql/backup.ts";
import { sourceContext } from "./mysql-engine.ts";

const [url = "", database = ""] = process.argv.slice(2);

const writer = {
  id: "discarded",
  writeBlob: async (name: string, plain: AsyncIterable<Uint8Array>) => {
    let plainBytes = 0;
    for await (const piece of plain) plainBytes += piece.length;
    return { name, sizeBytes: 0, plainBytes, sha256: "", chunks: 1 };
  },
};

const { tables } = await backupMysql(sourceContext(url, { databases: [database] }), writer);
process.stdout.write(JSON.stringify({ tables, rssMb: process.resourceUsage().maxRSS / 1024 }));

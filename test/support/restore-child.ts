import { finishRestore } from "../../lib/sources/mysql/finish.ts";
import { restoreMysql } from "../../lib/sources/mysql/restore.ts";
import { MemoryBackup } from "./memory-backup.ts";
import { restoreRequest } from "./mysql-engine.ts";

// A process to be killed: restores the backup saved in a folder onto a server, saying when it begins and when it is done.
const [folder = "", url = ""] = process.argv.slice(2);
const backup = await MemoryBackup.load(folder);
const request = restoreRequest(url);
process.stdout.write("begins\n");
await restoreMysql(request, backup);
await finishRestore(request, backup);
process.stdout.write("done\n");

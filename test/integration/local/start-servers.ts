import { startAzurite } from "../../../local/servers/azurite.ts";
import { startMysql } from "../../../local/servers/mysql.ts";

// A parent for the test to kill: it starts the servers, says so, and waits as long as they run.
const [azurite, mysql] = await Promise.all([startAzurite(), startMysql()]);
process.stdout.write(`${JSON.stringify({ pids: [azurite.pid, mysql.pid], dataDir: mysql.dataDir })}\n`);

// npx finds commands of other packages in node_modules/.bin, and not the one of the checkout itself: this puts it there.
import { chmod, mkdir, rm, symlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const folder = new URL("../node_modules/.bin/", import.meta.url);
const link = new URL("resguardo", folder);

await mkdir(folder, { recursive: true });
await chmod(fileURLToPath(new URL("../dist/cli/main.js", import.meta.url)), 0o755);
await rm(link, { force: true });
await symlink("../../dist/cli/main.js", link);

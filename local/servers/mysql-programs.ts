import { join } from "node:path";
import { type DebianRoot, debianRoot } from "./debian-root.ts";

/** Real MySQL exists only in Debian's unstable suite; it runs on older releases with the suite's own loader and libc. */
export async function mysqlPrograms(): Promise<DebianRoot> {
  return debianRoot({ suite: "sid", packages: ["mysql-server-core", "mysql-client-core"] });
}

/** The command line of a client program of the fetched MySQL: `mysql`, `mysqldump`, `mysqlbinlog`, … */
export async function mysqlClient(
  program: "mysql" | "mysqldump" | "mysqlbinlog" | "mysqladmin",
  args: readonly string[] = [],
): Promise<[file: string, ...args: string[]]> {
  const root = await mysqlPrograms();
  // The client plugins' folder is compiled in as an absolute path of the suite's own system.
  return root.command(`bin/${program}`, ["--no-defaults", ...pluginOption(program, root), ...args]);
}

function pluginOption(program: string, root: DebianRoot): string[] {
  return program === "mysqlbinlog" ? [] : [`--plugin-dir=${join(root.usr, "lib/mysql/plugin")}`];
}

/** Where the fetched server finds what is compiled in as absolute paths of the suite's own system. */
export function installationOptions(root: DebianRoot): string[] {
  return [
    `--basedir=${root.usr}`,
    `--lc-messages-dir=${join(root.usr, "share/mysql")}`,
    `--character-sets-dir=${join(root.usr, "share/mysql/charsets")}`,
    `--plugin-dir=${join(root.usr, "lib/mysql/plugin")}`,
    "--secure-file-priv=NULL",
    // The server refuses to run as root unless told so by name; containers and build machines often have no other user.
    ...(process.getuid?.() === 0 ? ["--user=root"] : []),
  ];
}

import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { DebianRoot } from "./debian-root.ts";

/** A server program that loads a keyring when it starts, and the options that it needs. */
export interface KeyringProgram {
  /** Relative to `usr` of the installation. */
  program: string;
  options: string[];
}

const COMPONENT = "component_keyring_file";

/**
 * Makes a copy of the server in `folder`: it looks beside itself for the manifest that names the keyring, and the installation
 * is shared with servers that have none. The keys stand in the folder, too.
 */
export async function keyringProgram(root: DebianRoot, folder: string): Promise<KeyringProgram> {
  const plugins = join(folder, "plugins");
  await mkdir(plugins, { recursive: true });
  const program = join(folder, "mysqld");
  await copyFile(join(root.usr, "sbin/mysqld"), program);
  await copyFile(join(root.usr, `lib/mysql/plugin/${COMPONENT}.so`), join(plugins, `${COMPONENT}.so`));
  await writeFile(join(folder, "mysqld.my"), JSON.stringify({ components: `file://${COMPONENT}` }));
  const settings = { path: join(folder, "keyring"), read_only: false };
  await writeFile(join(plugins, `${COMPONENT}.cnf`), JSON.stringify(settings));
  return { program: relative(root.usr, program), options: [`--plugin-dir=${plugins}`] };
}

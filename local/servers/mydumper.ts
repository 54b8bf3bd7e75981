import { join } from "node:path";
import { debianRoot } from "./debian-root.ts";

export interface MydumperCall {
  command: [file: string, ...args: string[]];
  /** To be added to the environment: the client library looks for its login plugins in an absolute folder otherwise. */
  env: { MARIADB_PLUGIN_DIR: string };
}

/** How to run Debian 12's mydumper, which the benchmark compares with. Throws LOCAL_TOOL_UNAVAILABLE. */
export async function mydumper(args: readonly string[]): Promise<MydumperCall> {
  const root = await debianRoot({ suite: "bookworm", packages: ["mydumper"] });
  return {
    command: root.command("bin/mydumper", args),
    env: { MARIADB_PLUGIN_DIR: join(root.libraries, "libmariadb3/plugin") },
  };
}

import { initKeys } from "../../lib/vault/keys/file-keys.ts";
import { print, type AddCommand, type CommonOptions } from "../command.ts";

export const addKeys: AddCommand = (program) => {
  const keys = program.command("keys").description("keys of the vaults");
  keys
    .command("init")
    .description("make the encryption, break-glass and signing key pairs as PEM files; never overwrites one")
    .option("--dir <folder>", "where to write them", "keys")
    .option("--json", "print one JSON document on standard output")
    .action(async ({ dir, ...options }: CommonOptions & { dir: string }) => {
      const files = await initKeys(dir);
      print(options, { dir, files }, [
        ...files.map((file) => `${file.path}  ${file.purpose}`),
        "Move break-glass.key.pem to a safe now: it opens every backup, and nothing here needs it.",
      ]);
    });
};

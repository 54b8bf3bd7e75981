import { AppError } from "../../core/errors.ts";

const REFUSED_HINT = "Check the owner and the rights of the vault's folder, and that nothing else writes there.";
const UNAVAILABLE_HINT = "Check the disk or network share of the vault; the next run tries again.";

const UNAVAILABLE = new Set([
  "EIO",
  "ESTALE",
  "ETIMEDOUT",
  "EBUSY",
  "EAGAIN",
  "EMFILE",
  "ENFILE",
  "EHOSTDOWN",
  "ENODEV",
  "ENXIO",
]);
const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const NO_HARD_LINKS = new Set(["ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV", "EMLINK"]);

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Only ENOENT: a file where a folder should be (ENOTDIR) is no empty vault but a wrong one. */
export function isAbsent(error: unknown): boolean {
  return errnoOf(error) === "ENOENT";
}

/** Runs file system calls, turning what they throw into a coded error: "vault offsite: can't <action>: <errno>". */
export async function attempt<T>(label: string, action: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error: unknown) {
    throw translate(label, action, error);
  }
}

export function translate(label: string, action: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const errno = errnoOf(error) ?? "unknown error";
  const message = `vault ${label}: can't ${action}: ${errno}`;
  if (FULL.has(errno)) {
    return new AppError("STORAGE_FULL", message, {
      hint: "Free or add room on the vault's file system.",
      cause: error,
    });
  }
  if (UNAVAILABLE.has(errno))
    return new AppError("STORAGE_UNAVAILABLE", message, { hint: UNAVAILABLE_HINT, cause: error });
  if (errno === "ENAMETOOLONG") {
    return new AppError("STORAGE_PATH_INVALID", message, {
      hint: "Choose a shorter path for the vault.",
      cause: error,
    });
  }
  return new AppError("STORAGE_REFUSED", message, { hint: REFUSED_HINT, cause: error });
}

/** For link(), by which a finished file gets its name: not every file system has it, and nothing else is as safe. */
export function translateLink(label: string, action: string, error: unknown): AppError {
  const errno = errnoOf(error) ?? "";
  if (!NO_HARD_LINKS.has(errno) && errno !== "EPERM") return translate(label, action, error);
  return new AppError(
    "STORAGE_REFUSED",
    `vault ${label}: can't ${action}: the file system has no hard links (${errno})`,
    {
      hint: "Put the vault on a file system with hard links (ext4, XFS, Btrfs, ZFS, NTFS, NFS), as one file system without mounts inside.",
      cause: error,
    },
  );
}

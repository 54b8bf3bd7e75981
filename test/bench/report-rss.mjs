// Preloaded into a measured process: leaves its peak resident set (KiB) in the file that RSS_REPORT names.
import { writeFileSync } from "node:fs";

process.once("exit", () => {
  writeFileSync(process.env.RSS_REPORT, String(process.resourceUsage().maxRSS));
});

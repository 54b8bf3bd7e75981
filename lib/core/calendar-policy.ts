import { z } from "zod";

/** How often something has to be exercised; each period of the calendar (UTC) is due by its end. */
export type Cadence = "monthly" | "quarterly" | "half-yearly" | "yearly" | "never";

const cadence = z.enum(["monthly", "quarterly", "half-yearly", "yearly", "never"]);

/** The calendar of the continuity contract §7.1; restore tests have their own schedules. */
export const calendarSchema = (duration: z.ZodType<string>) =>
  z
    .strictObject({
      databaseFailover: cadence.default("quarterly"),
      fullDr: cadence.default("yearly"),
      tabletop: cadence.default("half-yearly"),
      grace: z
        .optional(duration)
        .default("3d")
        .describe("How long after its schedule a restore test still counts as on time; never beyond the next one."),
    })
    .prefault({})
    .describe("Which exercises are due how often. `never` takes one out of the calendar.");

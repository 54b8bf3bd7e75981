/** Which part of a report answers which control; titles are ours, in short. */
export interface Control {
  id: string;
  title: { en: string; es: string };
  /** Parts of the report that answer it. */
  parts: ("population" | "tests" | "restoreTime" | "rpo" | "availability" | "incidents" | "verification" | "chain")[];
}

export const CONTROLS: readonly Control[] = [
  {
    id: "SOC 2 A1.2",
    title: { en: "Backups are made, watched and protected", es: "Los respaldos se hacen, se vigilan y se protegen" },
    parts: ["population", "rpo", "verification", "availability", "chain"],
  },
  {
    id: "SOC 2 A1.3",
    title: {
      en: "Recovery is tested, and the completeness of backup data with it",
      es: "La recuperación se prueba, y con ella la integridad de los respaldos",
    },
    parts: ["tests", "restoreTime", "verification"],
  },
  {
    id: "SOC 2 CC7.3–CC7.5",
    title: {
      en: "Incidents are judged, answered and recovered from",
      es: "Los incidentes se evalúan, se atienden y se recuperan",
    },
    parts: ["incidents", "rpo", "population"],
  },
  {
    id: "ISO 22301 8.5",
    title: {
      en: "Exercises at planned intervals, with outcomes and actions",
      es: "Ejercicios a intervalos planificados, con resultados y acciones",
    },
    parts: ["tests", "restoreTime"],
  },
  {
    id: "ISO 27001 A.8.13",
    title: {
      en: "Backups are kept and tested regularly",
      es: "Los respaldos se conservan y se prueban con regularidad",
    },
    parts: ["population", "tests", "verification"],
  },
];

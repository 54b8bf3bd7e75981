export type Lang = "en" | "es";

/** Every text of the report in both languages. */
export const WORDS = {
  title: { en: "Evidence of backups and recovery", es: "Evidencia de respaldos y recuperación" },
  period: { en: "Period", es: "Período" },
  madeAt: { en: "made at", es: "generado" },
  environment: { en: "Environment", es: "Entorno" },
  incomplete: {
    en: "This report is incomplete: some records can't be believed, or a vault could not be asked.",
    es: "Este informe está incompleto: hay registros que no son creíbles, o una bóveda no respondió.",
  },
  chain: { en: "Receipts: nothing removed, changed or inserted", es: "Recibos: nada eliminado, cambiado ni insertado" },
  proven: { en: "proven", es: "demostrado" },
  notProven: { en: "NOT proven", es: "NO demostrado" },
  calendar: { en: "Calendar of tests", es: "Calendario de pruebas" },
  activity: { en: "Activity", es: "Actividad" },
  source: { en: "Source", es: "Fuente" },
  cadence: { en: "How often", es: "Frecuencia" },
  lastRun: { en: "Last run", es: "Última ejecución" },
  lastPass: { en: "Last pass", es: "Última aprobada" },
  nextDue: { en: "Next due", es: "Próxima" },
  overdue: { en: "Overdue", es: "Vencidas" },
  waived: { en: "Waived", es: "Dispensadas" },
  tests: { en: "Tests that were due", es: "Pruebas que correspondían" },
  due: { en: "Due", es: "Vence" },
  state: { en: "State", es: "Estado" },
  runs: { en: "Receipts", es: "Recibos" },
  note: { en: "Note", es: "Nota" },
  moved: { en: "moved", es: "movida" },
  population: { en: "Everything that was to run", es: "Todo lo que debía ejecutarse" },
  job: { en: "Job", es: "Tarea" },
  scheduled: { en: "Scheduled", es: "Programadas" },
  run: { en: "Run", es: "Ejecutadas" },
  late: { en: "Late", es: "Tarde" },
  missed: { en: "Missed", es: "Omitidas" },
  failed: { en: "Failed", es: "Fallidas" },
  interrupted: { en: "Interrupted", es: "Interrumpidas" },
  kpis: { en: "Figures of each month", es: "Indicadores de cada mes" },
  month: { en: "Month", es: "Mes" },
  availability: { en: "Availability (target 99.9 %)", es: "Disponibilidad (objetivo 99.9 %)" },
  restoreTime: { en: "Restore time: mean / p50 / p90 (n)", es: "Tiempo de restore: media / p50 / p90 (n)" },
  severity1: { en: "Incidents of severity 1", es: "Incidentes de severidad 1" },
  onTime: { en: "Tests on time", es: "Pruebas a tiempo" },
  rpoBreach: {
    en: "RPO breach: minutes (unknown; not observed)",
    es: "Incumplimiento de RPO: minutos (desconocido; sin observar)",
  },
  coverage: { en: "Fulls proven", es: "Respaldos verificados" },
  restores: { en: "Restore time over time", es: "Tiempo de restore en el tiempo" },
  promisedLine: { en: "the dashed line is the promised RTO", es: "la línea discontinua es el RTO prometido" },
  windows: { en: "Windows and breaches", es: "Ventanas e incumplimientos" },
  windowsNote: {
    en: "green: within the RPO, or up; red: breached, or down; yellow: unknown; empty: not observed",
    es: "verde: dentro del RPO, o disponible; rojo: incumplido, o caído; amarillo: desconocido; vacío: sin observar",
  },
  controls: { en: "Controls", es: "Controles" },
  answeredBy: { en: "Answered by", es: "Respondido por" },
  receipts: { en: "All receipts of the period", es: "Todos los recibos del período" },
  from: { en: "from", es: "desde" },
  until: { en: "until", es: "hasta" },
  signed: { en: "Signed", es: "Firmado" },
  hash: { en: "SHA-256 of the record", es: "SHA-256 del registro" },
  none: { en: "none", es: "ninguno" },
  unknown: { en: "not known", es: "desconocido" },
  notMeasured: { en: "not measured", es: "sin medir" },
  unplanned: { en: "not in the policy", es: "no está en la política" },
} as const satisfies Record<string, Record<Lang, string>>;

export type Words = Record<keyof typeof WORDS, string>;

export function wordsOf(lang: Lang): Words {
  return Object.fromEntries(Object.entries(WORDS).map(([key, text]) => [key, text[lang]])) as Words;
}

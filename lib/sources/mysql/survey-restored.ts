import { AppError } from "../../core/errors.ts";
import type { BackupReader } from "../../vault/backup-reader.ts";
import type { Finding, LogSurvey, LogToReplay, RestoreRequest } from "../engine.ts";
import { readLog } from "./binlog/log-stream.ts";
import type { MysqlConnection } from "./connection.ts";
import { toFullPosition } from "./place-in-log.ts";
import { type Privileges, readPrivileges } from "./privileges.ts";
import { readModel } from "./read-model.ts";
import type { LogNeeds } from "./replay/log-needs.ts";
import { parseStopPoint } from "./replay/stop-point.ts";
import { type Survey, surveyLog } from "./replay/survey.ts";
import { scopeOf } from "./restore-scope.ts";
import { openRestoreSession } from "./restore-session.ts";
import { selectItems } from "./selection.ts";
import { functionFindings } from "./target.ts";
import { definerNeeds, grantFinding, readAccount } from "./target-privileges.ts";
import { onOff, readTargetServer, type TargetServer } from "./target-server.ts";
import { parseMysqlUrl } from "./url.ts";

/**
 * Reads the log that leads to the request's instant, once, and tells what can't be replayed and what the target lacks for the
 * rest. Changes nothing. Throws the SOURCE_… codes, and what the vault throws.
 */
export async function surveyRestored(
  request: RestoreRequest,
  reader: BackupReader,
  log: LogToReplay,
): Promise<LogSurvey> {
  const { instant, signal } = request;
  if (instant === undefined) throw new AppError("INVARIANT", "a survey without an instant to go to");
  const selection = selectItems(await readModel(reader), reader.manifest, request);
  const { gtidSet, file, offset } = toFullPosition(reader.manifest.position);
  await using control = await openRestoreSession(parseMysqlUrl(request.targetUrl), request);
  const survey = await surveyLog({
    log: readLog(log.segments, (segment) => log.read(segment)),
    from: gtidSet,
    fromPosition: { file, offset },
    stop: parseStopPoint(instant.to),
    scope: scopeOf(selection, request, instant),
    signal,
  });
  const { obstacles, obstacleCount } = survey;
  const restored = new Set(selection.users.map(({ user, host }) => `${user}@${host}`));
  return { obstacles, obstacleCount, findings: await findingsOf(control, survey, restored) };
}

async function findingsOf(
  control: MysqlConnection,
  { needs, packetBytes }: Survey,
  restored: ReadonlySet<string>,
): Promise<Finding[]> {
  const server = await readTargetServer(control);
  const privileges = await readPrivileges(control);
  const { functions, unsafeFunctions: unsafe, triggers } = needs;
  return [
    packetFinding(server, packetBytes),
    ...fileFindings(server, needs),
    ...functionFindings(server, privileges, { functions, unsafe, triggers }),
    ...(await privilegeFindings(control, needs, privileges, restored)),
  ];
}

function packetFinding({ maxPacketBytes }: TargetServer, packetBytes: number): Finding {
  return {
    setting: "max_allowed_packet",
    found: `${maxPacketBytes} bytes`,
    required: `more than ${packetBytes} bytes, for the longest event of the log`,
    ok: maxPacketBytes > packetBytes,
    level: "required",
    change: "SET GLOBAL max_allowed_packet = 1073741824",
    code: "TARGET_UNSUITABLE",
  };
}

function fileFindings({ localInfile }: TargetServer, { loadsFiles }: LogNeeds): Finding[] {
  if (!loadsFiles) return [];
  return [
    {
      setting: "local_infile",
      found: onOff(localInfile),
      required: "ON, for LOAD DATA in statement format",
      ok: localInfile,
      level: "required",
      change: "SET GLOBAL local_infile = ON",
      code: "TARGET_UNSUITABLE",
    },
  ];
}

async function privilegeFindings(
  control: MysqlConnection,
  needs: LogNeeds,
  privileges: Privileges,
  restored: ReadonlySet<string>,
): Promise<Finding[]> {
  const account = await readAccount(control);
  const definers = await definerNeeds(control, account, needs.definers, restored, privileges);
  const places = [...needs.privileges].map(([schema, wanted]) => ({ schema, privileges: [...wanted] }));
  const everywhere = [
    ...(privileges.everywhere("SUPER") ? [] : ["BINLOG_ADMIN"]),
    ...(SESSION_ADMINS.some((privilege) => privileges.everywhere(privilege)) ? [] : ["SESSION_VARIABLES_ADMIN"]),
    ...(needs.xa ? ["XA_RECOVER_ADMIN"] : []),
    ...(needs.accounts ? ["CREATE USER"] : []),
    ...definers.privileges,
  ];
  return [grantFinding("privileges for the log", account, { places, everywhere }, privileges), ...definers.findings];
}

/** Each of them may set what a logged session had. */
const SESSION_ADMINS = ["SESSION_VARIABLES_ADMIN", "SYSTEM_VARIABLES_ADMIN", "SUPER"];

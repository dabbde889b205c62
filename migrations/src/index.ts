export * from "./bundles.ts";
export * as d1 from "./d1.ts";
export * as poolTables from "./pool.ts";
export * as threadTables from "./thread.ts";

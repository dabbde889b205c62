export * from "./bundles.ts";
export * as d1 from "./d1.ts";

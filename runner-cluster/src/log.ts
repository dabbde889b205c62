export { type Logger, makeLogger } from "@millrace/contracts";

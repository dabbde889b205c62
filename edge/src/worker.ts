export { PoolObject, RunObject, ThreadObject } from "@millrace/durable-objects";

export default { fetch: () => new Response("") } satisfies ExportedHandler;

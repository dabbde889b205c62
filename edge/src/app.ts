import { OpenAPIHono } from "@hono/zod-openapi";
import { limits } from "@millrace/contracts";
import { except } from "hono/combine";
import { requestId } from "hono/request-id";
import type { EdgeEnv } from "./edge-env.ts";
import { bodyLimit } from "./middleware/body-limit.ts";
import { allowOrigins } from "./middleware/cors.ts";
import { noSniffing } from "./middleware/no-sniffing.ts";
import { limitRequests } from "./middleware/limit-requests.ts";
import { requireApiKey } from "./middleware/require-api-key.ts";
import { requireProjectScope } from "./middleware/require-project-scope.ts";
import { answerCrash, answerNotFound, refuseInvalid } from "./problem.ts";
import { docs } from "./routes/docs.ts";
import { blobs } from "./routes/runner/blobs.ts";
import { poolSocket } from "./routes/runner/pool-socket.ts";
import { sessionLogs } from "./routes/runner/session-logs.ts";
import { sessionRuns } from "./routes/runner/session-runs.ts";
import { runSocket } from "./routes/runner/run-socket.ts";
import { uploads } from "./routes/runner/uploads.ts";
import { warmToken } from "./routes/runner/warm-token.ts";
import { workspace } from "./routes/runner/workspace.ts";
import { cancel } from "./routes/v1/cancel.ts";
import { capabilities } from "./routes/v1/capabilities.ts";
import { download } from "./routes/v1/download.ts";
import { eventBlobs } from "./routes/v1/event-blobs.ts";
import { health } from "./routes/v1/health.ts";
import { messages } from "./routes/v1/messages.ts";
import { pools } from "./routes/v1/pools.ts";
import { projects } from "./routes/v1/projects.ts";
import { root } from "./routes/v1/root.ts";
import { runInput } from "./routes/v1/run-input.ts";
import { runLogs } from "./routes/v1/run-logs.ts";
import { runs } from "./routes/v1/runs.ts";
import { snapshot } from "./routes/v1/snapshot.ts";
import { stream } from "./routes/v1/stream.ts";
import { runStreams } from "./routes/streams/run-streams.ts";
import { streams } from "./routes/streams/streams.ts";
import { subscriptions } from "./routes/streams/subscriptions.ts";
import { isWakePath, wakes } from "./routes/streams/wakes.ts";
import { webhookDeliveries } from "./routes/v1/webhook-deliveries.ts";
import { webhooks } from "./routes/v1/webhooks.ts";

/** Everything that the platform answers over HTTP. */
export const app = new OpenAPIHono<EdgeEnv>({ defaultHook: refuseInvalid });

app.notFound(answerNotFound);
app.onError(answerCrash);

app.use(requestId());
app.use(allowOrigins({ except: "/runner/" }));

const v1ApiKey = requireApiKey();
const v1Rate = limitRequests();
const v1Body = bodyLimit(limits.requestBodyMaxBytes);
// A path before `/*` is meant too.
app.use("/v1/projects/*", v1ApiKey, v1Rate, v1Body);
app.use("/v1/projects/:projectId/*", requireProjectScope);

app.use("/v1/pools/*", v1ApiKey, v1Rate, v1Body);

// Whoever was woken shows the wake's own token.
const v1Stream = except(isWakePath, v1ApiKey, v1Rate);
app.use("/v1/stream/*", noSniffing, v1Stream, bodyLimit(limits.streamAppendMaxBytes));
app.use("/v1/streams/*", noSniffing, v1ApiKey, v1Rate, v1Body);

app.route("/", root);
app.route("/", health);
app.route("/", capabilities);
app.route("/", docs);
app.route("/", projects);
app.route("/", runs);
app.route("/", stream);
app.route("/", snapshot);
app.route("/", runLogs);
app.route("/", runInput);
app.route("/", cancel);
app.route("/", download);
app.route("/", eventBlobs);
app.route("/", messages);
// Before the streams, which take every name.
app.route("/", wakes);
app.route("/", subscriptions);
app.route("/", streams);
app.route("/", runStreams);
// Before the webhooks: `deliveries` is no webhook's id.
app.route("/", webhookDeliveries);
app.route("/", webhooks);
app.route("/", pools);

app.route("/runner", poolSocket);
app.route("/runner", warmToken);
// Before the runs of sessions, whose bodies have another limit.
app.route("/runner", sessionLogs);
app.route("/runner", sessionRuns);
app.route("/runner", runSocket);
app.route("/runner", uploads);
app.route("/runner", blobs);
app.route("/runner", workspace);

export type PeerName = "langgraph" | "streams-memory" | "streams-file";
export type ContenderName = "ours" | PeerName;

/** How a peer stands in the table. */
export const peerTitles = {
  langgraph: { title: "LangGraph server", durable: false },
  "streams-memory": { title: "reference, memory", durable: false },
  "streams-file": { title: "reference, files", durable: true },
} as const satisfies Record<PeerName, { readonly title: string; readonly durable: boolean }>;

/** On ours by the peer's. */
export type RatioBar = { readonly atMost: number } | { readonly atLeast: number };

export interface PeerMetric {
  readonly key: string;
  readonly title: string;
  readonly unit: "ms" | "1/s";
  readonly bars?: Readonly<Partial<Record<PeerName, RatioBar>>>;
}

/** Something that several servers do alike. */
export interface Contest<Service> {
  readonly name: string;
  readonly metrics: readonly PeerMetric[];
  /** Prepares one contender, outside of the clock. */
  open(service: Service): Promise<Turns>;
}

export interface Turns {
  /** One turn: a value for each metric. */
  measure(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

/** A server that is running. */
export interface Contender {
  readonly name: ContenderName;
  dispose(): Promise<void>;
}

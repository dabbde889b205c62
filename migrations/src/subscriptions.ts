import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** What a SubscriptionsObject keeps: the subscriptions of one org, and which streams there are. Times are Unix ms. */

/** One subscription: what it is and what its wake is at, as one document. */
export const subscription = sqliteTable(
  "subscription",
  {
    id: text().primaryKey(),
    body: text().notNull(),
    /** When the alarm has to look at it; null: when something happens. */
    dueAt: integer("due_at"),
  },
  (table) => [index("subscription_by_due").on(table.dueAt)],
);

/** A stream that a subscription follows. Positions are numbers of messages. */
export const link = sqliteTable(
  "link",
  {
    subscription: text().notNull(),
    name: text().notNull(),
    /** Named by its user. */
    explicit: integer().notNull(),
    /** Found by the pattern. */
    glob: integer().notNull(),
    /** Up to here it was acknowledged; null: the stream has not been asked yet where it ends. */
    acked: integer(),
    /** Where it ended as the current wake was made; null: no part of that wake. */
    told: integer(),
  },
  (table) => [
    primaryKey({ columns: [table.subscription, table.name] }),
    index("link_by_name").on(table.name),
    index("link_unasked")
      .on(table.name)
      .where(sql`acked IS NULL`),
  ],
);

/** The org's streams. `tail` is where a stream ends that is followed; of others it may be long past. */
export const directory = sqliteTable("stream", {
  name: text().primaryKey(),
  /** Another for every stream that has ever had this name. */
  id: text().notNull(),
  tail: integer().notNull(),
});

/** `links`: counts every change of links. `key`: the org's signing key. */
export const subscriptionsDocument = sqliteTable("document", {
  name: text().primaryKey(),
  body: text().notNull(),
});

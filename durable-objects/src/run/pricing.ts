import type { Cost, Usage } from "@millrace/contracts";
import { z } from "zod";

const PriceRow = z.object({
  currency: z.string(),
  input_per_1k: z.number(),
  output_per_1k: z.number(),
  cached_input_per_1k: z.number().nullable(),
  reasoning_per_1k: z.number().nullable(),
  pricing_version: z.string(),
});
export type PriceRow = z.infer<typeof PriceRow>;

/** The active price of a model; null when the registry has none. */
export async function findPrice(
  db: D1Database,
  provider: string,
  model: string,
): Promise<PriceRow | null> {
  const row = await db
    .prepare(
      "SELECT currency, input_per_1k, output_per_1k, cached_input_per_1k, reasoning_per_1k, pricing_version" +
        " FROM model_pricing WHERE lower(provider) = lower(?) AND lower(model) = lower(?) AND active = 1",
    )
    .bind(provider, model)
    .first();
  return row === null ? null : PriceRow.parse(row);
}

/**
 * Cached tokens are part of the input and reasoning tokens part of the output: each token is charged once.
 * Null when the provider did not report both sides.
 */
export function costOf(usage: Usage, price: PriceRow): Cost | null {
  const { inputTokens, outputTokens } = usage;
  if (inputTokens === null || outputTokens === null) return null;
  const cached = Math.min(usage.cachedInputTokens ?? 0, inputTokens);
  const reasoning = Math.min(usage.reasoningOutputTokens ?? 0, outputTokens);
  const per1k =
    (inputTokens - cached) * price.input_per_1k +
    cached * (price.cached_input_per_1k ?? price.input_per_1k) +
    (outputTokens - reasoning) * price.output_per_1k +
    reasoning * (price.reasoning_per_1k ?? price.output_per_1k);
  return {
    currency: price.currency,
    estimatedUsd: Number((per1k / 1000).toFixed(8)),
    pricingVersion: price.pricing_version,
  };
}

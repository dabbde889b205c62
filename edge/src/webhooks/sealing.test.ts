import { expect, it } from "vitest";
import { seal, unseal } from "./sealing.ts";

const isOpened = (text: string, place: string, key: string): Promise<boolean> =>
  unseal(text, place, key).then(
    () => true,
    () => false,
  );

it("opens for its key and place only, and shows nothing of the text", async () => {
  const sealed = await seal("whsec_x", "here", "key");
  expect(await unseal(sealed, "here", "key")).toBe("whsec_x");
  expect(sealed).not.toContain("whsec");
  expect(await seal("whsec_x", "here", "key")).not.toBe(sealed);
  expect(await isOpened(sealed, "there", "key")).toBe(false);
  expect(await isOpened(sealed, "here", "other")).toBe(false);
  expect(await isOpened(`${sealed.slice(0, -8)}AAAAAAA=`, "here", "key")).toBe(false);
});

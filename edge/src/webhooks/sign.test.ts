import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { makeSecret, signedHeaders } from "./sign.ts";

const message = { id: "run_7_hook", timestamp: Math.floor(Date.now() / 1000), body: '{"a":"é"}' };

describe("a signed message", () => {
  it("is taken by a receiver that knows one of its secrets, and by no other", async () => {
    const [now, before, foreign] = [makeSecret(), makeSecret(), makeSecret()];
    const headers = await signedHeaders(message, [now, before]);
    for (const secret of [now, before]) {
      expect(new Webhook(secret).verify(message.body, headers)).toEqual({ a: "é" });
    }
    expect(() => new Webhook(foreign).verify(message.body, headers)).toThrow("signature");
    expect(() => new Webhook(now).verify('{"a":"e"}', headers)).toThrow("signature");
  });

  it("is what the standard's own example is", async () => {
    const headers = await signedHeaders(
      {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: 1_614_265_330,
        body: '{"test": 2432232314}',
      },
      ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    );
    expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });
});

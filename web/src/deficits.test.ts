import { describe, expect, it } from "vitest";
import { worstDeficits } from "./deficits";

const deficit = (service: string, week: string, replicas: number) => ({ service, week, ceiling: "policy maximum", replicas, text: `${service} ${week}`, remedies: [] });

describe("worstDeficits", () => {
  it("shows the worst week of each service, the worst first", () => {
    const all = [deficit("api", "w1", 5), deficit("api", "w2", 9), deficit("api", "w3", 7), deficit("media", "w1", 20)];
    expect(worstDeficits(all).map((g) => [g.worst.text, g.more])).toEqual([["media w1", 0], ["api w2", 2]]);
  });
  it("shows nothing where nothing is short", () => expect(worstDeficits([])).toEqual([]));
});

import { describe, expect, it } from "vitest";
import { waitsForApproval } from "./Decisions";
import type { Decision, ScalingState, ServiceStatus } from "./types";

const decision: Decision = {
  id: "d1", service: "media", createdAt: "2027-06-12T14:00:00Z", requestedBy: "svc:autoscale", class: "scale_in", direction: "down",
  fromReplicas: 40, toReplicas: 20, sentence: "", status: "executing", outcome: "", outcomeReason: "", workflowId: "scale/media/d1",
  approval: { permission: "scalability:scale_standard", reason: "it removes 20 of 40 at once" },
};

const at = (spec: number): ServiceStatus[] => [{
  service: "media", tier: "standard", metrics: null, capacityRps: 100, min: 2, max: 60, temporalUrl: "",
  scaling: { spec } as ScalingState,
}];

describe("waitsForApproval", () => {
  it("is so while nothing was touched", () => {
    expect(waitsForApproval(decision, at(40))).toBe(true);
    expect(waitsForApproval(decision, [])).toBe(true);
  });
  it("is not so once it was carried out, has ended or needs nobody", () => {
    expect(waitsForApproval(decision, at(20))).toBe(false);
    expect(waitsForApproval({ ...decision, status: "closed", outcome: "expired" }, at(40))).toBe(false);
    expect(waitsForApproval({ ...decision, approval: undefined }, at(40))).toBe(false);
  });
});

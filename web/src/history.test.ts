import { describe, expect, it } from "vitest";
import { append, merge, WINDOW_MS } from "./history";
import type { Decision, ServiceStatus, Snapshot } from "./types";

const service = (over: Partial<ServiceStatus>): ServiceStatus => ({
  service: "api", tier: "critical", metrics: null, capacityRps: 100, min: 2, max: 10, temporalUrl: "", ...over,
});

const snapshot = (at: string, s: ServiceStatus): Snapshot => ({
  at, services: [s], decisions: null,
  health: {
    scalingEngine: true, loadPredictor: true, performanceMonitor: true, rbacManager: true, database: true,
    overallHealth: "healthy", checkedAt: at,
  },
});

describe("append", () => {
  it("keeps a missing metric missing", () => {
    const h = append({}, snapshot("2027-06-12T14:00:00Z", service({})));
    expect(h.api?.[0]).toMatchObject({ load: null, capacity: null });
  });
  it("drops what left the window and a repeated second", () => {
    const first = append({}, snapshot("2027-06-12T14:00:00Z", service({ metrics: { throughput: 1 } })));
    const again = append(first, snapshot("2027-06-12T14:00:00Z", service({ metrics: { throughput: 2 } })));
    expect(again.api?.map((p) => p.load)).toEqual([2]);
    const later = new Date(Date.parse("2027-06-12T14:00:00Z") + WINDOW_MS).toISOString();
    expect(append(again, snapshot(later, service({}))).api).toHaveLength(1);
  });
});

describe("merge", () => {
  const d = (id: string, createdAt: string, outcome = ""): Decision => ({
    id, createdAt, outcome, service: "api", requestedBy: "", class: "panic", direction: "up", fromReplicas: 1,
    toReplicas: 2, sentence: "", status: "closed", outcomeReason: "", workflowId: "",
  });
  it("takes the newer copy and sorts newest first", () => {
    const got = merge([d("a", "2027-01-01T00:00:00Z")], [d("a", "2027-01-01T00:00:00Z", "verified"), d("b", "2027-01-01T00:00:05Z")]);
    expect(got.map((x) => [x.id, x.outcome])).toEqual([["b", ""], ["a", "verified"]]);
  });
});

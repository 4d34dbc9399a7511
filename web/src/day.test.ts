import { describe, expect, it } from "vitest";
import { floorSteps, shift, spanOf } from "./day";
import type { Reservation } from "./types";

const claim = (over: Partial<Reservation>): Reservation => ({
  id: "r", service: "api", kind: "floor", replicas: 5, guests: 0, holder: "user:a", reason: "x",
  from: "2027-06-12T10:00:00Z", until: "2027-06-12T12:00:00Z", ...over,
});
const at = (iso: string) => Date.parse(iso);

describe("floorSteps", () => {
  const from = at("2027-06-12T00:00:00Z");
  const until = at("2027-06-13T00:00:00Z");
  it("takes the largest of what overlaps", () => {
    const steps = floorSteps([claim({}), claim({ replicas: 9, from: "2027-06-12T11:00:00Z", until: "2027-06-12T11:30:00Z" })], from, until);
    expect(steps).toEqual([
      [from, 0], [at("2027-06-12T10:00:00Z"), 5], [at("2027-06-12T11:00:00Z"), 9], [at("2027-06-12T11:30:00Z"), 5], [at("2027-06-12T12:00:00Z"), 0], [until, 0],
    ]);
  });
  it("ends one where it was released", () => {
    expect(floorSteps([claim({ endedAt: "2027-06-12T10:30:00Z" })], from, until)[2]).toEqual([at("2027-06-12T10:30:00Z"), 0]);
  });
  it("leaves out caps and other days", () => {
    const other = claim({ from: "2027-06-14T10:00:00Z", until: "2027-06-14T12:00:00Z" });
    expect(floorSteps([claim({ kind: "cap" }), other], from, until)).toEqual([[from, 0], [until, 0]]);
  });
});

describe("days", () => {
  it("are UTC", () => expect(spanOf("2027-06-12")).toEqual({ from: "2027-06-12T00:00:00.000Z", until: "2027-06-13T00:00:00.000Z" }));
  it("pass over months", () => expect(shift("2027-02-27", 3)).toBe("2027-03-02"));
});

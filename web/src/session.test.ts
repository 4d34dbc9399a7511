import { describe, expect, it } from "vitest";
import { refusalOf } from "./session";

describe("refusalOf", () => {
  it("says nothing where nothing went wrong", () => expect(refusalOf("?day=2027-06-12")).toBe(""));
  it("explains what the server named", () => expect(refusalOf("?signIn=state")).toContain("Try again"));
  it("shows nothing that came from the address itself", () => expect(refusalOf("?signIn=<b>call+me</b>")).toBe("The sign-in failed."));
});

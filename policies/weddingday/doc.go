// Package weddingday decides what a wedding day needs: weddings × now → phase, windows of
// strict thresholds, floors from the guests of all weddings that are there at once, how
// far a floor follows the guests who really come, and what breaks the rule of the deadline.
//
// Invariant: pure; a time is an instant, so that no change of clocks and no midnight moves
// a window; guests add up before they become replicas, and they do so by
// scaling.FloorAt, as in every decision. It imports models and policies/scaling; it must
// not import anything that reads a clock, a network or storage.
package weddingday

// Package redecide decides again on stored inputs: as they were, to show that a record is
// true (Replay), or with some of them changed, to answer "what would you do?" (Preview).
//
// Invariant: it reads and decides, and changes nothing. It must not import any package of
// ours but models and policies.
package redecide

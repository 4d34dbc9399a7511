// Package trace draws audit trails with attacks of which it knows where they are, and wedding
// surges with none, and judges threat detection on them.
//
// Invariant: a seed gives the same trail on every machine, and what is right is known from
// how a trail was drawn, never from the rules that are judged. It imports models and
// policies/threats.
package trace

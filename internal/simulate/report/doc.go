// Package report writes what a suite found: JSON for programs, CSV for tables, and one
// HTML page for people, with its pictures inside.
//
// Invariant: the page needs nothing from outside itself, and a goal that is missed
// stands on it as plainly as one that is met. It imports internal/simulate and its
// suites, and must not import an adapter.
package report

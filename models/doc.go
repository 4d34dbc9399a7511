// Package models is the vocabulary of the platform: the values, enums, rows and
// error kinds that every other package speaks in.
//
// Invariant: a value that a constructor or Validate accepted is safe to store and
// to act on; absence is a nil pointer, never zero. Nothing here reads a clock, the
// environment or the network, and nothing of ours is imported.
package models

// Package config reads the environment once, at the start of a process, and gives the
// rest of the platform typed values.
//
// Invariant: a process never starts on a value that it did not understand, and no
// message, log line or listing made here holds a secret. It is the only package that
// reads the environment; it must not import any other package of ours.
package config

// Package verification judges new capacity against old, and says how far a change that
// did harm may be taken back.
//
// Invariant: without enough evidence the verdict is hold: nothing is called a success
// and nothing is rolled back; and no rollback goes below the need of the moment. It
// imports models and the standard library.
package verification

// Package threats finds attacks in the committed audit trail: it takes the entries in the
// order of their time and says, with evidence and a sentence, which rule was met.
//
// Invariant: what it says is a function of what it was given; it has no clock, and its
// memory is bounded whatever it is given. A subject that only a refused credential named is
// marked as claimed, and the response to it never touches that subject's own sessions. It
// imports models and the standard library.
package threats

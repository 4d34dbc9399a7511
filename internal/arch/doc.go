// Package arch holds the house rules as tests: which package may import which, and
// that each says what it is for. It has no code of its own and nothing may import it.
package arch

// Package activities holds the effects that workflows ask for, as methods of structs
// over ports of one or two methods.
//
// Invariant: every activity is idempotent by the key in its input and answers what it
// observed, never what it hoped. It imports models, policies and Temporal's activity
// packages; it must not import workflows, api or an adapter.
package activities

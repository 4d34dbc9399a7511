// Package access decides whether a subject may do what a route needs, and says by which
// rule. It is the only home of Casbin.
//
// Invariant: what no rule grants is denied, and so is whatever is not known (a subject
// without its prefix, a role or permission that the vocabulary does not have, a Policy
// that New did not make). A check is a pure function: roles, context and time are
// parameters. It imports models, the standard library and Casbin.
package access

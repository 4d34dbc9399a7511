// Package api is the HTTP surface: authenticate, authorise, audit, then launch or read.
//
// Invariant: no handler runs before its caller's permission was checked and the answer
// of that check was committed to the audit log. It declares the ports it needs, and
// imports models, policies/access, Gin and the OpenAPI runtime; it must not import
// activities, workflows or an adapter.
package api

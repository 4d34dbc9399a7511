// Package authn says who a bearer token speaks for.
//
// Invariant: a token is believed only if a configured key signed it with an allowed
// algorithm, for this issuer and audience, within its time; it gives an identity and
// never a role. It must not import any package of ours but models.
package authn

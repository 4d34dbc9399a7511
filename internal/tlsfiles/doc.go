// Package tlsfiles makes TLS settings from files of certificates and keys, for what this
// platform serves and what it calls.
//
// Invariant: nothing below TLS 1.2 is spoken, and no certificate goes unchecked. It must
// not import any other package of ours.
package tlsfiles

// Package devstacktest gives tests real servers: a fresh Postgres database, a fresh Redis
// database, a Temporal server, each on a server of this test process that is started at the
// first use.
//
// The invariant: a test that needs a server which is not installed fails and says how to
// install it; it is never skipped. It must not be imported by the product.
package devstacktest

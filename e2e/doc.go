// Package e2e tests the running product: it starts `wedsync dev` from the built binary
// on free loopback ports, drives load through the fleet, and looks at what a user would
// see through the API. Run it with `make e2e`; the build tag is e2e. Nothing may
// import it.
package e2e

// Package accesspolicy keeps the access policy in force in memory, and says why something
// is allowed or not.
//
// Invariant: a policy is swapped whole, after it was validated; one that cannot be read or
// understood leaves the one before in force, and an approval is seen within two seconds. It
// must not import any other adapter.
package accesspolicy

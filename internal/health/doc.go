// Package health answers whether the five components of the platform work, now.
//
// Invariant: a component counts as healthy only when its probe answered without an
// error within the time-out; a probe that is missing, slow or failing is unhealthy. It
// imports models alone; the probes are given to it.
package health

// Package suite holds the autoscaling policies against each other: the same loads, the
// same plant, targets swept, tuned on the first part of each load and reported on the
// rest, with intervals over seeds.
//
// Invariant: every policy is tuned by the same rule and on the same seconds, nothing of
// the part that is reported reaches the choice of a target, and the same options give
// the same figures. It imports internal/simulate and its generator of seasons, and must
// not import another adapter.
package suite

// Package classic holds the textbook methods that forecasts are held against: Naive,
// seasonal naive, Naive2, SES and Theta, as the M4 competition defines them.
//
// Invariant: they reproduce the figures published for them. It imports the standard
// library alone.
package classic

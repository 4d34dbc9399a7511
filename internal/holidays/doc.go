// Package holidays says which days are public holidays, by country.
//
// Invariant: a country that is not known is an error, never a country without holidays. It
// must not import any other package of ours.
package holidays

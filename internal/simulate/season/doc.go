// Package season generates the load of a wedding platform over days and weeks: its own
// rhythm, and the weddings of a season by month, weekday, hour, time zone and guests.
//
// Invariant: the same options give the same weddings and the same requests, to the bit;
// what a calendar knows of a wedding informs about its load and never gives it away. It
// imports the standard library and gonum, and must not import an adapter.
package season

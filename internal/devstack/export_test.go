package devstack

// StartOf tells a process from a later one with the same number.
var StartOf = startOf

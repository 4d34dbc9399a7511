package models

import (
	"strings"
	"time"
)

// CheckZone refuses what is no IANA time zone, and suggests the one that was probably
// meant.
func CheckZone(field, name string, load func(string) (*time.Location, error)) error {
	if name != "" && name != "Local" {
		if _, err := load(name); err == nil {
			return nil
		}
	}
	rule := ruleZone
	if near := SuggestZone(name); near != "" {
		rule += "; did you mean " + near + "?"
	}
	return Invalid(field, name, rule)
}

// SuggestZone gives the zone that a wrong name probably means, or nothing.
func SuggestZone(name string) string {
	folded := foldZone(name)
	if folded == "" || len(folded) > 64 {
		return ""
	}
	if z, ok := zoneAliases()[folded]; ok {
		return z
	}
	best, fewest := "", len(folded)/4+1
	for _, zone := range strings.Fields(zoneNames) {
		whole := foldZone(zone)
		_, city, _ := strings.Cut(whole, "/")
		if city == folded || whole == folded {
			return zone
		}
		if d := Edits(folded, whole); d < fewest {
			best, fewest = zone, d
		}
		if d := Edits(folded, city); d < fewest {
			best, fewest = zone, d
		}
	}
	return best
}

func foldZone(name string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), " ", "_"))
}

// zoneAliases are what people write that is near to no name: abbreviations and countries.
func zoneAliases() map[string]string {
	return map[string]string{
		"gmt": "Europe/London", "bst": "Europe/London", "uk": "Europe/London", "england": "Europe/London", "gmt_standard_time": "Europe/London",
		"ist": "Asia/Kolkata", "india_standard_time": "Asia/Kolkata", "india": "Asia/Kolkata",
		"cet": "Europe/Paris", "cest": "Europe/Paris", "romance_standard_time": "Europe/Paris", "france": "Europe/Paris",
		"w._europe_standard_time": "Europe/Berlin", "germany": "Europe/Berlin", "italy": "Europe/Rome", "spain": "Europe/Madrid",
		"est": "America/New_York", "edt": "America/New_York", "eastern_standard_time": "America/New_York", "us/eastern": "America/New_York",
		"cst": "America/Chicago", "cdt": "America/Chicago", "central_standard_time": "America/Chicago",
		"mst": "America/Denver", "mdt": "America/Denver", "mountain_standard_time": "America/Denver",
		"pst": "America/Los_Angeles", "pdt": "America/Los_Angeles", "pacific_standard_time": "America/Los_Angeles",
		"aest": "Australia/Sydney", "aedt": "Australia/Sydney", "aus_eastern_standard_time": "Australia/Sydney", "ireland": "Europe/Dublin",
	}
}

// Edits counts the insertions, deletions and replacements of bytes from a to b
// (Levenshtein), keeping one row of the table: how near a misspelt name is to a known one.
func Edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

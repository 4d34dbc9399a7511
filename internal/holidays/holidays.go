package holidays

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/gr"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"
)

// countries are the nationwide holidays of each country, by ISO 3166 code.
func countries() map[string][]*cal.Holiday {
	return map[string][]*cal.Holiday{
		"at": at.Holidays, "au": au.HolidaysNSW, "be": be.Holidays, "ca": ca.Holidays, "ch": ch.Holidays, "de": de.Holidays,
		"dk": dk.Holidays, "es": es.Holidays, "fr": fr.Holidays, "gb": gb.Holidays, "gr": gr.Holidays, "ie": ie.Holidays,
		"it": it.Holidays, "nl": nl.Holidays, "no": no.Holidays, "nz": nz.Holidays, "pl": pl.Holidays, "se": se.Holidays,
		"us": us.Holidays, "za": za.Holidays,
	}
}

// Codes lists the countries that are known.
func Codes() []string {
	var out []string
	for code := range countries() {
		out = append(out, code)
	}
	slices.Sort(out)
	return out
}

// Of says for a list of countries, as "gb,ie", whether a day is a public holiday in any of
// them, on its own date or observed; nil where the list is empty.
func Of(list string) (func(day time.Time) bool, error) {
	if list == "" {
		return nil, nil
	}
	known := countries()
	calendar := &cal.Calendar{}
	for code := range strings.SplitSeq(list, ",") {
		days, ok := known[strings.TrimSpace(code)]
		if !ok {
			return nil, fmt.Errorf("holidays: country %q is not one of %s", code, strings.Join(Codes(), ", "))
		}
		calendar.AddHoliday(days...)
	}
	return func(day time.Time) bool {
		actual, observed, _ := calendar.IsHoliday(day)
		return actual || observed
	}, nil
}

package holidays

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

func TestHolidaysAreThoseOfTheirCountries(t *testing.T) {
	for name, c := range map[string]struct {
		list string
		day  time.Time
		want bool
	}{
		"Good Friday in Britain":                       {"gb", day(2027, time.March, 26), true},
		"the spring bank holiday":                      {"gb", day(2027, time.May, 31), true},
		"Christmas on a Saturday":                      {"gb", day(2027, time.December, 25), true},
		"and the Monday on which it is observed":       {"gb", day(2027, time.December, 27), true},
		"a Saturday in June":                           {"gb", day(2027, time.June, 12), false},
		"Independence Day in the United States":        {"us", day(2028, time.July, 4), true},
		"is none in Britain":                           {"gb", day(2028, time.July, 4), false},
		"Saint Patrick's Day, of the second of a list": {"gb,ie", day(2027, time.March, 17), true},
		"the fourteenth of July in France":             {"fr", day(2027, time.July, 14), true},
	} {
		holiday, err := Of(c.list)
		require.NoError(t, err)
		assert.Equal(t, c.want, holiday(c.day), name)
	}
}

func TestEveryCountryHasHolidaysAndAnUnknownOneIsRefused(t *testing.T) {
	for _, code := range Codes() {
		holiday, err := Of(code)
		require.NoError(t, err)
		n := 0
		for d := range 365 {
			if holiday(day(2027, time.January, 1+d)) {
				n++
			}
		}
		assert.Greater(t, n, 3, code)
		assert.Less(t, n, 40, code)
	}
	_, err := Of("gb,uk")
	require.ErrorContains(t, err, `"uk"`)
	none, err := Of("")
	require.NoError(t, err)
	assert.Nil(t, none)
}

package calendar

import (
	"testing"
	"time"
	_ "time/tzdata" // the tests need the zones, whatever the machine has

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLocalTimesAreMomentsByToldRules(t *testing.T) {
	for name, c := range map[string]struct{ zone, local, want, note string }{
		"an afternoon in June":                       {"Europe/London", "2027-06-12T14:00", "2027-06-12T13:00:00Z", ""},
		"an afternoon in winter":                     {"Europe/London", "2027-12-04T14:00", "2027-12-04T14:00:00Z", ""},
		"with a space and seconds":                   {"Europe/Paris", "2027-06-12 14:00:30", "2027-06-12T12:00:30Z", ""},
		"as calendars write it":                      {"Europe/Paris", "20270612T140000", "2027-06-12T12:00:00Z", ""},
		"an offset says the moment, not the zone":    {"Europe/Paris", "2027-06-12T14:00:00-04:00", "2027-06-12T18:00:00Z", ""},
		"the hour that is skipped in spring, Berlin": {"Europe/Berlin", "2027-03-28T02:30", "2027-03-28T01:30:00Z", "does not exist"},
		"its first minute":                           {"Europe/Berlin", "2027-03-28T02:00", "2027-03-28T01:00:00Z", "does not exist"},
		"the minute before it":                       {"Europe/Berlin", "2027-03-28T01:59", "2027-03-28T00:59:00Z", ""},
		"the minute after it":                        {"Europe/Berlin", "2027-03-28T03:00", "2027-03-28T01:00:00Z", ""},
		"skipped in New York":                        {"America/New_York", "2027-03-14T02:15", "2027-03-14T07:15:00Z", "does not exist"},
		"the hour that comes twice, Berlin":          {"Europe/Berlin", "2027-10-31T02:30", "2027-10-31T00:30:00Z", "comes twice"},
		"before it":                                  {"Europe/Berlin", "2027-10-31T01:59", "2027-10-30T23:59:00Z", ""},
		"after it":                                   {"Europe/Berlin", "2027-10-31T03:00", "2027-10-31T02:00:00Z", ""},
		"twice in London":                            {"Europe/London", "2027-10-31T01:30", "2027-10-31T00:30:00Z", "comes twice"},
		"twice in Sydney, where it is autumn":        {"Australia/Sydney", "2027-04-04T02:30", "2027-04-03T15:30:00Z", "comes twice"},
		"skipped in Sydney":                          {"Australia/Sydney", "2027-10-03T02:30", "2027-10-02T16:30:00Z", "does not exist"},
		"half an hour that is skipped, Lord Howe":    {"Australia/Lord_Howe", "2027-10-03T02:15", "2027-10-02T15:45:00Z", "does not exist"},
		"midnight that is skipped, Beirut":           {"Asia/Beirut", "2027-03-28T00:00", "2027-03-27T22:00:00Z", "does not exist"},
		"a zone without clock changes":               {"Asia/Kolkata", "2027-03-28T02:30", "2027-03-27T21:00:00Z", ""},
		"a day that never was, Apia":                 {"Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00:00Z", "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			loc, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			got, ok := parseMoment(c.local, loc)
			require.True(t, ok)
			assert.Equal(t, c.want, got.at.UTC().Format(time.RFC3339))
			if c.note == "" {
				assert.Empty(t, got.note)
			} else {
				assert.Contains(t, got.note, c.note)
			}
		})
	}
}

func TestTheEndOfANightIsFound(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for name, c := range map[string]struct{ start, end, want string }{
		"the same evening":                    {"2027-06-12T14:00", "23:30", "2027-06-12T21:30:00Z"},
		"past midnight":                       {"2027-06-12T14:00", "01:30", "2027-06-12T23:30:00Z"},
		"at midnight":                         {"2027-06-12T14:00", "00:00", "2027-06-12T22:00:00Z"},
		"the hour of the begin is a day on":   {"2027-06-12T14:00", "14:00", "2027-06-13T12:00:00Z"},
		"past midnight into the lost hour":    {"2027-03-27T18:00", "02:30", "2027-03-28T01:30:00Z"},
		"past midnight into the doubled hour": {"2027-10-30T18:00", "02:30", "2027-10-31T00:30:00Z"},
		"of the last day of the year":         {"2027-12-31T20:00", "03:00", "2028-01-01T02:00:00Z"},
		"a whole time":                        {"2027-06-12T14:00", "2027-06-14T10:00", "2027-06-14T08:00:00Z"},
		"none: eight hours":                   {"2027-06-12T14:00", "", "2027-06-12T20:00:00Z"},
		"eight hours over the lost one":       {"2027-03-27T22:00", "", "2027-03-28T05:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			start, ok := parseMoment(c.start, berlin)
			require.True(t, ok)
			end, ok := endOf(c.end, start.at, berlin)
			require.True(t, ok)
			assert.Equal(t, c.want, end.at.UTC().Format(time.RFC3339))
		})
	}
}

// Any moment, written on the clock of its place, is read back, but for the second of two
// that the clock shows alike.
func TestWhatAClockShowsIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "UTC"}).Draw(t, "zone")
		loc, err := time.LoadLocation(zone)
		require.NoError(t, err)
		at := time.Unix(60*rapid.Int64Range(29_000_000, 33_000_000).Draw(t, "minute"), 0).UTC()
		got := resolve(at.In(loc), loc)
		assert.Equal(t, at.In(loc).Format("2006-01-02T15:04"), got.at.In(loc).Format("2006-01-02T15:04"))
		if !got.at.Equal(at) {
			assert.Contains(t, got.note, "comes twice")
			assert.True(t, got.at.Before(at), "the first counts")
		}
	})
}

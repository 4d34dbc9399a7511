package models_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need the zones, whatever the machine has

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func wedding(zone, start string) models.Wedding {
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		panic(err)
	}
	return models.Wedding{
		ID: "w1", Reference: "B-1001", TimeZone: zone, StartsAt: at, EndsAt: at.Add(8 * time.Hour),
		Guests: 180, Region: "Bavaria", Status: models.WeddingConfirmed, Coordinator: "user:anna",
	}
}

func TestTheWeddingDateIsThatOfTheVenue(t *testing.T) {
	cases := map[string]struct{ zone, start, date string }{
		"an afternoon in London":                     {"Europe/London", "2027-06-12T14:00:00+01:00", "2027-06-12"},
		"late in New York it is tomorrow in UTC":     {"America/New_York", "2027-06-12T22:00:00-04:00", "2027-06-12"},
		"early in Auckland it is yesterday in UTC":   {"Pacific/Auckland", "2027-06-12T09:00:00+12:00", "2027-06-12"},
		"the offset of the caller does not count":    {"Pacific/Auckland", "2027-06-11T21:00:00Z", "2027-06-12"},
		"midnight begins the day":                    {"Europe/Paris", "2027-06-12T00:00:00+02:00", "2027-06-12"},
		"a second before is the day before":          {"Europe/Paris", "2027-06-11T23:59:59+02:00", "2027-06-11"},
		"the hour that is skipped in spring":         {"Europe/Berlin", "2027-03-28T02:30:00+01:00", "2027-03-28"},
		"the hour that comes twice in autumn, first": {"Europe/Berlin", "2027-10-31T02:30:00+02:00", "2027-10-31"},
		"and again":                   {"Europe/Berlin", "2027-10-31T02:30:00+01:00", "2027-10-31"},
		"midnight by summer time":     {"Europe/Berlin", "2027-07-02T22:30:00Z", "2027-07-03"},
		"not midnight by winter time": {"Europe/Berlin", "2027-12-02T22:30:00Z", "2027-12-02"},
		"a zone that skipped a day":   {"Pacific/Apia", "2011-12-31T00:30:00+14:00", "2011-12-31"},
		"half an hour off":            {"Asia/Kolkata", "2027-06-11T18:30:00Z", "2027-06-12"},
		"UTC":                         {"UTC", "2027-06-12T23:59:59Z", "2027-06-12"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := wedding(c.zone, c.start)
			w, err := in.Normalise(time.LoadLocation)
			require.NoError(t, err)
			assert.Equal(t, c.date, w.WeddingDate)
			assert.Equal(t, time.UTC, w.StartsAt.Location())
			assert.Equal(t, time.UTC, w.EndsAt.Location())
			assert.True(t, w.StartsAt.Equal(in.StartsAt), "the moment stays")
			again, err := w.Normalise(time.LoadLocation)
			require.NoError(t, err)
			assert.Equal(t, w, again, "once is enough")
		})
	}
}

func TestWeddingsAreRefused(t *testing.T) {
	cases := map[string]struct {
		change func(*models.Wedding)
		field  string
	}{
		"no reference":            {func(w *models.Wedding) { w.Reference = "" }, "reference"},
		"a blank reference":       {func(w *models.Wedding) { w.Reference = " " }, "reference"},
		"a long reference":        {func(w *models.Wedding) { w.Reference = strings.Repeat("a", 101) }, "reference"},
		"no zone":                 {func(w *models.Wedding) { w.TimeZone = "" }, "timeZone"},
		"the server's own zone":   {func(w *models.Wedding) { w.TimeZone = "Local" }, "timeZone"},
		"an unknown zone":         {func(w *models.Wedding) { w.TimeZone = "Europe/Atlantis" }, "timeZone"},
		"an offset for a zone":    {func(w *models.Wedding) { w.TimeZone = "+02:00" }, "timeZone"},
		"a path for a zone":       {func(w *models.Wedding) { w.TimeZone = "../../etc/passwd" }, "timeZone"},
		"no start":                {func(w *models.Wedding) { w.StartsAt = time.Time{} }, "startsAt"},
		"no end":                  {func(w *models.Wedding) { w.EndsAt = time.Time{} }, "endsAt"},
		"an end at its start":     {func(w *models.Wedding) { w.EndsAt = w.StartsAt }, "endsAt"},
		"more than four days":     {func(w *models.Wedding) { w.EndsAt = w.StartsAt.Add(96*time.Hour + 1) }, "endsAt"},
		"no guests":               {func(w *models.Wedding) { w.Guests = 0 }, "guests"},
		"a city of guests":        {func(w *models.Wedding) { w.Guests = 100_001 }, "guests"},
		"no status":               {func(w *models.Wedding) { w.Status = "" }, "status"},
		"an unknown status":       {func(w *models.Wedding) { w.Status = "maybe" }, "status"},
		"a long region":           {func(w *models.Wedding) { w.Region = strings.Repeat("a", 61) }, "region"},
		"a region that is broken": {func(w *models.Wedding) { w.Region = "a\x00" }, "region"},
		"an unknown type":         {func(w *models.Wedding) { w.Type = "picnic" }, "type"},
		"an unknown tier":         {func(w *models.Wedding) { w.Tier = "gold" }, "tier"},
		"a source with a space":   {func(w *models.Wedding) { w.Source = "my system" }, "source"},
		"a source in capitals":    {func(w *models.Wedding) { w.Source = "CRM" }, "source"},
		"a hidden source":         {func(w *models.Wedding) { w.Source = ".crm" }, "source"},
		"a long UID":              {func(w *models.Wedding) { w.ExternalUID = strings.Repeat("a", 256) }, "externalUid"},
		"a version below none":    {func(w *models.Wedding) { w.SourceVersion = -1 }, "sourceVersion"},
		"a long coordinator":      {func(w *models.Wedding) { w.Coordinator = strings.Repeat("a", 201) }, "coordinator"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := wedding("Europe/London", "2027-06-12T14:00:00+01:00")
			c.change(&w)
			_, err := w.Normalise(time.LoadLocation)
			breach(t, err, c.field)
		})
	}
	w := wedding("Europe/London", "2027-06-12T14:00:00+01:00")
	w.Region, w.Coordinator, w.Reference = strings.Repeat("ü", 60), "", strings.Repeat("ü", 100)
	_, err := w.Normalise(time.LoadLocation)
	assert.NoError(t, err, "characters are counted, not bytes, and two fields may be empty")
}

func TestWhatIsLeftOutOfAWeddingIsFilled(t *testing.T) {
	w, err := wedding("Europe/London", "2027-06-12T14:00:00+01:00").Normalise(time.LoadLocation)
	require.NoError(t, err)
	assert.Equal(t, models.SourceAPI, w.Source)
	assert.Equal(t, models.WeddingOther, w.Type)
	assert.Equal(t, models.TierOfStandard, w.Tier)
	given := wedding("Europe/London", "2027-06-12T14:00:00+01:00")
	given.Source, given.Type, given.Tier = "crm.uk", models.WeddingChurch, models.TierOfFlagship
	w, err = given.Normalise(time.LoadLocation)
	require.NoError(t, err)
	assert.Equal(t, given.Source, w.Source)
	assert.Equal(t, given.Type, w.Type)
	assert.Equal(t, given.Tier, w.Tier)
}

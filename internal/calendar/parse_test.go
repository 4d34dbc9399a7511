package calendar

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func read(t testing.TB, format models.CalendarFormat, data string) Reading {
	t.Helper()
	r, err := Read([]byte(data), format, Defaults{Source: "crm"})
	require.NoError(t, err)
	return r
}

func event(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20270101T000000Z\r\nX-WEDSYNC-GUESTS:120\r\n" +
		strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func TestEachFormatSaysTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		format models.CalendarFormat
		data   string
	}{
		"CSV":                {models.FormatCSV, "reference,time_zone,starts_at,ends_at,guests,type,tier,region,status,coordinator\nu1,Europe/London,2027-06-12T14:00,01:30,120,Church,premium,london,confirmed,user:anna\n"},
		"CSV, semicolons":    {models.FormatCSV, "\xef\xbb\xbfReference;Time Zone;Starts At;Ends At;Guests;Type;Tier;Region;Coordinator\r\nu1;Europe/London;2027-06-12 14:00;01:30;120;church;premium;london;user:anna\r\n"},
		"JSON lines":         {models.FormatJSONL, "\n" + `{"reference":"u1","timeZone":"Europe/London","startsAt":"2027-06-12T14:00:00+01:00","endsAt":"2027-06-13T01:30","guests":120,"type":"church","tier":"premium","region":"london","coordinator":"user:anna"}` + "\n\n"},
		"iCalendar":          {models.FormatICS, event("DTSTART;TZID=Europe/London:20270612T140000", "DTEND;TZID=Europe/London:20270613T013000", "X-WEDSYNC-TYPE:church", "X-WEDSYNC-TIER:premium", "X-WEDSYNC-REGION:london", "X-WEDSYNC-COORDINATOR:user:anna")},
		"iCalendar, Windows": {models.FormatICS, event(`DTSTART;TZID="GMT Standard Time":20270612T140000`, "DURATION:PT11H30M", "X-WEDSYNC-TYPE:church", "X-WEDSYNC-TIER:premium", "X-WEDSYNC-REGION:london", "X-WEDSYNC-COORDINATOR:user:anna")},
		"iCalendar, UTC":     {models.FormatICS, event("DTSTART:20270612T130000Z", "DTEND:20270613T003000Z", "X-WEDSYNC-TIMEZONE:Europe/London", "X-WEDSYNC-TYPE:church", "X-WEDSYNC-TIER:premium", "X-WEDSYNC-REGION:london", "X-WEDSYNC-COORDINATOR:user:anna")},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, c.format, c.data)
			require.Empty(t, r.Faults)
			require.Len(t, r.Rows, 1)
			w := r.Rows[0].Wedding
			w.ExternalUID = ""
			assert.Equal(t, models.Wedding{
				Source: "crm", Reference: "u1", TimeZone: "Europe/London", StartsAt: time.Date(2027, 6, 12, 13, 0, 0, 0, time.UTC),
				EndsAt: time.Date(2027, 6, 13, 0, 30, 0, 0, time.UTC), WeddingDate: "2027-06-12", Guests: 120, Type: models.WeddingChurch,
				Tier: models.TierOfPremium, Region: "london", Status: models.WeddingConfirmed, Coordinator: "user:anna",
			}, w)
		})
	}
}

func TestWhatCannotBeTakenNamesLineFieldAndRule(t *testing.T) {
	const head = "reference,timeZone,startsAt,endsAt,guests\nok,Europe/London,2027-06-12T14:00,23:00,100\n"
	for name, c := range map[string]struct{ row, field, rule string }{
		"an unknown zone":     {"x,Europe/Londn,2027-06-12T14:00,23:00,100", "timeZone", "did you mean Europe/London?"},
		"a city for a zone":   {"x,Paris,2027-06-12T14:00,23:00,100", "timeZone", "did you mean Europe/Paris?"},
		"an abbreviation":     {"x,BST,2027-06-12T14:00,23:00,100", "timeZone", "did you mean Europe/London?"},
		"nothing near":        {"x,Mars/Olympus_Mons,2027-06-12T14:00,23:00,100", "timeZone", "must be an IANA time zone"},
		"no zone":             {"x,,2027-06-12T14:00,23:00,100", "timeZone", "must be an IANA time zone"},
		"no time":             {"x,Europe/London,12 June,23:00,100", "startsAt", "2027-06-12T14:00"},
		"a date that is none": {"x,Europe/London,2027-06-31T14:00,23:00,100", "startsAt", "2027-06-12T14:00"},
		"an end that is none": {"x,Europe/London,2027-06-12T14:00,late,100", "endsAt", "23:30"},
		"an end before":       {"x,Europe/London,2027-06-12T14:00,2027-06-12T13:00,100", "endsAt", "must be after startsAt"},
		"guests in words":     {"x,Europe/London,2027-06-12T14:00,23:00,many", "guests", "whole number"},
		"nobody":              {"x,Europe/London,2027-06-12T14:00,23:00,0", "guests", "from 1"},
		"no reference":        {",Europe/London,2027-06-12T14:00,23:00,100", "reference", "1 to 100"},
		"the same once more":  {"ok,Europe/London,2027-06-13T14:00,23:00,100", "reference", "line 2 already"},
		"a cell too many":     {"x,Europe/London,2027-06-12T14:00,23:00,100,more", "line", "as many cells"},
		"a control character": {"x\x01,Europe/London,2027-06-12T14:00,23:00,100", "reference", "control"},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, models.FormatCSV, head+c.row+"\n")
			require.Len(t, r.Faults, 1)
			assert.Equal(t, 3, r.Faults[0].Line)
			assert.Equal(t, c.field, r.Faults[0].Field)
			assert.Contains(t, r.Faults[0].Rule, c.rule)
			assert.Len(t, r.Rows, 1, "the others are read")
		})
	}
}

func TestEventsThatAreNoWeddingAreRefused(t *testing.T) {
	start := "DTSTART;TZID=Europe/London:20270612T140000"
	for name, c := range map[string]struct{ data, field string }{
		"one that recurs":       {event(start, "RRULE:FREQ=YEARLY"), "rrule"},
		"one with more dates":   {event(start, "RDATE:20270613T140000Z"), "rdate"},
		"one out of a series":   {event(start, "RECURRENCE-ID:20270612T140000Z"), "recurrence-id"},
		"an all-day event":      {event("DTSTART;VALUE=DATE:20270612"), "dtstart"},
		"no begin":              {event("SUMMARY:x"), "dtstart"},
		"no zone":               {event("DTSTART:20270612T140000"), "timeZone"},
		"an unknown zone":       {event("DTSTART;TZID=Europe/Atlantis:20270612T140000"), "timeZone"},
		"an end in no zone":     {event(start, "DTEND;TZID=Nowhere/Land:20270612T200000"), "dtend"},
		"a length in words":     {event(start, "DURATION:long"), "duration"},
		"no guests":             {strings.Replace(event(start), "X-WEDSYNC-GUESTS:120\r\n", "", 1), "guests"},
		"a status of our own":   {event(start, "STATUS:MAYBE"), "status"},
		"no time to end before": {event(start, "DTEND:20270612T120000Z"), "endsAt"},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, models.FormatICS, c.data)
			require.Len(t, r.Faults, 1)
			assert.Empty(t, r.Rows)
			assert.Equal(t, c.field, r.Faults[0].Field)
			assert.Equal(t, 4, r.Faults[0].Line)
		})
	}
}

func TestEventsAreReadAsCalendarsWriteThem(t *testing.T) {
	start := "DTSTART;TZID=Europe/Berlin:20270612T140000"
	one := func(data string) models.Wedding {
		r := read(t, models.FormatICS, data)
		require.Empty(t, r.Faults)
		require.Len(t, r.Rows, 1)
		return r.Rows[0].Wedding
	}
	assert.Equal(t, models.WeddingTentative, one(event(start, "STATUS:TENTATIVE")).Status)
	assert.Equal(t, models.WeddingCancelled, one(event(start, "STATUS:CANCELLED")).Status)
	assert.Equal(t, models.WeddingCancelled, one(strings.Replace(event(start), "VERSION:2.0", "VERSION:2.0\r\nMETHOD:CANCEL", 1)).Status)
	assert.Equal(t, int64(7), one(event(start, "SEQUENCE:7")).SourceVersion)
	assert.Equal(t, 8*time.Hour, one(event(start)).EndsAt.Sub(one(event(start)).StartsAt))
	assert.Equal(t, "Europe/Paris", one(strings.Replace(event("DTSTART:20270612T140000"), "VERSION:2.0", "VERSION:2.0\r\nX-WR-TIMEZONE:Europe/Paris", 1)).TimeZone)
	assert.Equal(t, "Europe/Berlin", one(event("DTSTART;TZID=/freeassociation.sourceforge.net/Europe/Berlin:20270612T140000")).TimeZone)
	assert.Equal(t, "B-7", one(event(start, "X-WEDSYNC-REFERENCE:B-7")).Reference)
	long := one(strings.Replace(event(start), "UID:u1", "UID:"+strings.Repeat("0", 112), 1))
	assert.Len(t, long.Reference, 36)
	described := strings.Replace(event(start, `DESCRIPTION:Anna and Ben\, at the lake\nGuests: 85\nbring umbrellas`), "X-WEDSYNC-GUESTS:120\r\n", "", 1)
	assert.Equal(t, 85, one(described).Guests)
	abroad := one(event("DTSTART;TZID=Europe/London:20270612T140000", "DTEND;TZID=Europe/Paris:20270612T230000"))
	assert.Equal(t, 8*time.Hour, abroad.EndsAt.Sub(abroad.StartsAt))
	folded := one(event(start, "X-WEDSYNC-REGION:so\r\n uth"))
	assert.Equal(t, "south", folded.Region)
}

func TestWholeFilesThatAreNoneAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		format models.CalendarFormat
		data   string
		field  string
	}{
		"an unknown column":      {models.FormatCSV, "reference,startsAt,guests,bride\n", "bride"},
		"a column twice":         {models.FormatCSV, "reference,startsAt,starts_at,guests\n", "startsAt"},
		"no guests":              {models.FormatCSV, "reference,startsAt\n", "guests"},
		"an empty CSV":           {models.FormatCSV, "", "body"},
		"a quote that is open":   {models.FormatCSV, "reference,startsAt,guests\n\"x,1,2\n", "line"},
		"no calendar":            {models.FormatICS, "hello", "line"},
		"a calendar cut short":   {models.FormatICS, strings.TrimSuffix(event("DTSTART:20270612T140000Z"), "END:VCALENDAR\r\n"), "calendar"},
		"a deep one":             {models.FormatICS, strings.Repeat("BEGIN:VCALENDAR\n", 5000), "calendar"},
		"another form":           {"xls", "", "format"},
		"text that is not UTF-8": {models.FormatCSV, "reference,startsAt,guests\n\xff,1,2\n", "body"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read([]byte(c.data), c.format, Defaults{Source: "crm"})
			var e *models.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, models.KindInvalid, e.Kind)
			assert.Equal(t, c.field, e.Field)
		})
	}
	_, err := Read(make([]byte, MaxBytes+1), models.FormatCSV, Defaults{})
	assert.Equal(t, models.KindTooLarge, models.KindOf(err))
	_, err = Read([]byte(strings.Repeat("{}\n", maxRows+1)), models.FormatJSONL, Defaults{})
	assert.Equal(t, models.KindTooLarge, models.KindOf(err))
}

func TestObjectsOfALineAreFlatAndKnown(t *testing.T) {
	r := read(t, models.FormatJSONL, strings.Join([]string{
		`{"reference":"a","bride":"x"}`, `[]`, `{"reference":"b"} {}`, `{"reference":["c"]}`, `{"startsAt":"x","starts_at":"y"}`, `not json`,
	}, "\n"))
	require.Len(t, r.Faults, 6)
	fields := []string{}
	for i, f := range r.Faults {
		assert.Equal(t, i+1, f.Line)
		fields = append(fields, f.Field)
	}
	assert.Equal(t, []string{"bride", "line", "line", "reference", "startsAt", "line"}, fields)
}

func TestContactsAreReadAndNeverTold(t *testing.T) {
	good := `{"reference":"a","timeZone":"UTC","startsAt":"2027-06-12T14:00","guests":10,"contact":{"name":"Anna Example","email":"anna@example.org"},"notes":"allergic to nuts"}`
	bad := `{"reference":"b","timeZone":"UTC","startsAt":"2027-06-12T14:00","guests":10,"contactEmail":"Anna Secret","notes":"secret"}`
	r := read(t, models.FormatJSONL, good+"\n"+bad)
	require.Len(t, r.Rows, 1)
	require.NotNil(t, r.Rows[0].Contact)
	assert.Equal(t, "anna@example.org", r.Rows[0].Contact.Email)
	require.Len(t, r.Faults, 1)
	assert.Equal(t, "contact.email", r.Faults[0].Field)
	for _, told := range []string{fmt.Sprintf("%+v", r.Faults), fmt.Sprintf("%v %#v", r.Rows[0].Contact, *r.Rows[0].Contact), fmt.Sprintf("%v", r.Notes)} {
		assert.NotContains(t, told, "Secret")
		assert.NotContains(t, told, "Anna")
		assert.NotContains(t, told, "nuts")
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	weddings := []models.Wedding{}
	for i, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata"} {
		w, err := models.Wedding{
			Source: "crm", Reference: fmt.Sprintf("B,%d;x", i), TimeZone: zone, StartsAt: time.Date(2027, 10, 30, 16, 30, 0, 0, time.UTC),
			EndsAt: time.Date(2027, 10, 31, 1, 30, 0, 0, time.UTC), Guests: 10 + i, Status: models.WeddingTentative, Region: "north; west, and so on", Coordinator: "user:anna",
		}.Normalise(time.LoadLocation)
		require.NoError(t, err)
		weddings = append(weddings, w)
	}
	for _, format := range []models.CalendarFormat{models.FormatCSV, models.FormatJSONL, models.FormatICS} {
		var out bytes.Buffer
		require.NoError(t, Write(&out, format, weddings))
		guessed, err := Guess("", out.Bytes())
		require.NoError(t, err)
		assert.Equal(t, format, guessed)
		r := read(t, format, out.String())
		require.Empty(t, r.Faults, format)
		var back []models.Wedding
		for _, row := range r.Rows {
			row.Wedding.ExternalUID = ""
			back = append(back, row.Wedding)
		}
		assert.Equal(t, weddings, back, format)
	}
}

func fuzz(f *testing.F, format models.CalendarFormat, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(data, format, Defaults{Source: "crm", TimeZone: "Europe/London"})
		if err != nil {
			return
		}
		for _, row := range r.Rows {
			again, err := row.Wedding.Normalise(time.LoadLocation)
			require.NoError(t, err)
			assert.Equal(t, again, row.Wedding)
		}
		for _, fault := range r.Faults {
			assert.NotEmpty(t, fault.Rule)
			assert.LessOrEqual(t, len(fault.Value), 200)
		}
	})
}

func FuzzCSV(f *testing.F) {
	fuzz(f, models.FormatCSV, "reference,timeZone,startsAt,endsAt,guests\na,Europe/London,2027-06-12T14:00,01:30,100\n", "a;b\n\"")
}

func FuzzJSONL(f *testing.F) {
	fuzz(f, models.FormatJSONL, `{"reference":"a","startsAt":"2027-06-12T14:00","guests":10,"contact":{"name":"x"}}`, "{", "null")
}

func FuzzICS(f *testing.F) {
	fuzz(f, models.FormatICS, event("DTSTART;TZID=Europe/London:20270612T140000", "DURATION:P1DT2H"), event("DTSTART:20270612T140000Z", "DTEND;TZID=x:y"), "BEGIN:VCALENDAR\nDTSTART;TZID=")
}

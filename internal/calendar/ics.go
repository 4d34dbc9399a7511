package calendar

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"github.com/wedsync/scalability/models"
)

// Properties of ours, for what iCalendar has no word for. Guests may also be told by a
// line such as "Guests: 120" in the description.
const (
	propGuests      = "X-WEDSYNC-GUESTS"
	propReference   = "X-WEDSYNC-REFERENCE"
	propZone        = "X-WEDSYNC-TIMEZONE"
	propRegion      = "X-WEDSYNC-REGION"
	propType        = "X-WEDSYNC-TYPE"
	propTier        = "X-WEDSYNC-TIER"
	propCoordinator = "X-WEDSYNC-COORDINATOR"
)

var guestsLine = regexp.MustCompile(`(?i)(?:^|\n)\s*(?:guests|pax)\s*[:=]\s*([0-9]{1,6})\b`)

// ics reads the events of a calendar (RFC 5545).
func (r *Reading) ics(data []byte, d Defaults) error {
	cal, err := ics.ParseCalendar(bytes.NewReader(data))
	if err != nil || cal == nil {
		return notCalendar(err)
	}
	if !bytes.Contains(data, []byte("END:VCALENDAR")) {
		return models.Invalid("calendar", "", "must end with END:VCALENDAR: it was cut short")
	}
	d.TimeZone = cmp.Or(propOf(cal.CalendarProperties, "X-WR-TIMEZONE"), d.TimeZone)
	void := strings.EqualFold(propOf(cal.CalendarProperties, "METHOD"), "CANCEL")
	lines := eventLines(data)
	for i, e := range cal.Events() {
		if i > maxRows {
			return nil // refused by the caller
		}
		rec := record{line: lines.at(i), fields: map[string]string{}}
		if err := rec.fromEvent(e, void, d.TimeZone); err != nil {
			r.faulty(rec.line, rec.fields[fieldReference], err)
			continue
		}
		r.take(rec, d)
	}
	return nil
}

// notCalendar says where a file stops being a calendar, without what stands there.
func notCalendar(err error) error {
	var at *ics.MalformedError
	if errors.As(err, &at) && at.HasLine {
		return models.Invalid("line", at.Line, "must be iCalendar as RFC 5545 has it")
	}
	return models.Invalid("calendar", "", "must be iCalendar as RFC 5545 has it")
}

// lineList is where each event begins; the parser does not say.
type lineList []int

func eventLines(data []byte) lineList {
	var out lineList
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		if bytes.Equal(bytes.TrimSpace(line), []byte("BEGIN:VEVENT")) {
			out = append(out, n)
		}
	}
	return out
}

func (l lineList) at(i int) int {
	if i < len(l) {
		return l[i]
	}
	return 0
}

func propOf(props []ics.CalendarProperty, name string) string {
	for _, p := range props {
		if strings.EqualFold(p.IANAToken, name) {
			return ics.FromText(p.Value)
		}
	}
	return ""
}

// fromEvent fills a record with what an event says. Summary, location, attendees and the
// rest of the description are read past.
func (rec record) fromEvent(e *ics.VEvent, void bool, zone string) *models.Error {
	f, get := rec.fields, func(name string) string { return textOf(e, name) }
	uid := get("UID")
	f[fieldUID], f[fieldReference] = uid, cmp.Or(get(propReference), shortened(uid))
	for _, p := range []string{"RRULE", "RDATE", "RECURRENCE-ID"} {
		if e.GetProperty(ics.ComponentProperty(p)) != nil {
			return models.Invalid(strings.ToLower(p), "", "must be absent: a wedding does not recur; write each one as an event of its own")
		}
	}
	f[fieldGuests] = get(propGuests)
	if m := guestsLine.FindStringSubmatch(get("DESCRIPTION")); m != nil && f[fieldGuests] == "" {
		f[fieldGuests] = m[1]
	}
	if f[fieldGuests] == "" {
		return models.Invalid(fieldGuests, "", "is required: write "+propGuests+", or a line \"Guests: 120\" in the description")
	}
	f[fieldType], f[fieldTier], f[fieldRegion] = get(propType), get(propTier), get(propRegion)
	f[fieldCoordinator], f[fieldVersion] = get(propCoordinator), get("SEQUENCE")
	f[fieldStatus] = strings.ToLower(get("STATUS"))
	if void {
		f[fieldStatus] = string(models.WeddingCancelled)
	}
	return rec.eventTimes(e, cmp.Or(get(propZone), zone))
}

// eventTimes reads begin and end. The venue's zone is that of the begin.
func (rec record) eventTimes(e *ics.VEvent, zone string) *models.Error {
	begin := e.GetProperty("DTSTART")
	if begin == nil {
		return models.Invalid("dtstart", "", "is required")
	}
	if !strings.Contains(begin.Value, "T") {
		return models.Invalid("dtstart", begin.Value, "must have a time of day: a wedding does not begin at midnight by being an all-day event")
	}
	own := zoneOf(begin)
	rec.fields[fieldZone] = cmp.Or(own, zone)
	if rec.fields[fieldZone] == "" {
		return models.Invalid(fieldZone, "", "is required: a TZID, X-WR-TIMEZONE, "+propZone+", or the feed's own")
	}
	rec.fields[fieldStart] = begin.Value
	if end := e.GetProperty("DTEND"); end != nil {
		return rec.eventEnd(end)
	}
	if d := textOf(e, "DURATION"); d != "" {
		return rec.eventLength(d)
	}
	return nil
}

// eventEnd reads an end on its own clock, which need not be that of the begin.
func (rec record) eventEnd(end *ics.IANAProperty) *models.Error {
	rec.fields[fieldEnd] = end.Value
	name := zoneOf(end)
	if name == "" || name == rec.fields[fieldZone] {
		return nil
	}
	if err := models.CheckZone("dtend", name, time.LoadLocation); err != nil {
		return asError(err)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return models.Invalid("dtend", name, "cannot be loaded")
	}
	if m, ok := parseMoment(end.Value, loc); ok {
		rec.fields[fieldEnd] = m.at.Format(time.RFC3339)
	}
	return nil
}

var durationForm = regexp.MustCompile(`^\+?P(?:([0-9]{1,2})D)?(?:T(?:([0-9]{1,3})H)?(?:([0-9]{1,4})M)?(?:[0-9]{1,5}S)?)?$`)

// eventLength reads a duration of days, hours and minutes into an end.
func (rec record) eventLength(s string) *models.Error {
	m := durationForm.FindStringSubmatch(s)
	loc, err := time.LoadLocation(rec.fields[fieldZone])
	start, ok := moment{}, false
	if err == nil {
		start, ok = parseMoment(rec.fields[fieldStart], loc)
	}
	if m == nil || !ok {
		return models.Invalid("duration", s, "must be a duration as in PT8H, beside a DTSTART and a zone that can be read")
	}
	length := 24*count(m[1], time.Hour) + count(m[2], time.Hour) + count(m[3], time.Minute)
	rec.fields[fieldEnd] = start.at.Add(length).UTC().Format(time.RFC3339)
	return nil
}

func count(digits string, unit time.Duration) time.Duration {
	n := time.Duration(0)
	for _, d := range digits {
		n = 10*n + time.Duration(d-'0')
	}
	return n * unit
}

// zoneOf is the zone of a property: IANA names as they are, the names of Windows by the
// Unicode table, and names with a vendor's prefix without it.
func zoneOf(p *ics.IANAProperty) string {
	values := p.ICalParameters["TZID"]
	if len(values) == 0 || values[0] == "" {
		return ""
	}
	name := strings.Trim(values[0], `"`)
	if _, err := time.LoadLocation(name); err == nil {
		return name
	}
	if loc := ics.WindowsTimezoneToIANA(name); loc != nil {
		return loc.String()
	}
	if parts := strings.Split(name, "/"); strings.HasPrefix(name, "/") && len(parts) > 2 {
		short := strings.Join(parts[len(parts)-2:], "/")
		if _, err := time.LoadLocation(short); err == nil {
			return short
		}
	}
	return name
}

// shortened makes a key of a UID; some are longer than a reference may be.
func shortened(uid string) string {
	if len(uid) <= 100 {
		return uid
	}
	sum := sha256.Sum256([]byte(uid))
	return "uid-" + hex.EncodeToString(sum[:16])
}

func textOf(e *ics.VEvent, name string) string {
	if p := e.GetProperty(ics.ComponentProperty(name)); p != nil {
		return strings.TrimSpace(ics.FromText(p.Value))
	}
	return ""
}

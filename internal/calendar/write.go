package calendar

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"time"

	ics "github.com/arran4/golang-ical"

	"github.com/wedsync/scalability/models"
)

// Write writes weddings so that Read reads the same again. Times are those of the venue's
// clock with its offset.
func Write(w io.Writer, format models.CalendarFormat, weddings []models.Wedding) error {
	out := bufio.NewWriter(w)
	var err error
	switch format {
	case models.FormatCSV:
		err = writeCSV(out, weddings)
	case models.FormatJSONL:
		err = writeJSONL(out, weddings)
	case models.FormatICS:
		err = writeICS(out, weddings)
	default:
		_, err = models.ParseCalendarFormat("format", string(format))
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// local gives begin and end on the venue's clock.
func local(w models.Wedding) (start, end time.Time, err error) {
	loc, err := time.LoadLocation(w.TimeZone)
	return w.StartsAt.In(loc), w.EndsAt.In(loc), err
}

func writeCSV(w io.Writer, weddings []models.Wedding) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{
		fieldReference, fieldZone, fieldStart, fieldEnd, fieldGuests, fieldType, fieldTier, fieldRegion, fieldStatus, fieldCoordinator,
	}); err != nil {
		return err
	}
	for _, m := range weddings {
		start, end, err := local(m)
		if err != nil {
			return err
		}
		if err := out.Write([]string{
			m.Reference, m.TimeZone, start.Format(time.RFC3339), end.Format(time.RFC3339), strconv.Itoa(m.Guests),
			string(m.Type), string(m.Tier), m.Region, string(m.Status), m.Coordinator,
		}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func writeJSONL(w io.Writer, weddings []models.Wedding) error {
	enc := json.NewEncoder(w)
	for _, m := range weddings {
		start, end, err := local(m)
		if err != nil {
			return err
		}
		if err := enc.Encode(struct {
			Reference   string               `json:"reference"`
			TimeZone    string               `json:"timeZone"`
			StartsAt    string               `json:"startsAt"`
			EndsAt      string               `json:"endsAt"`
			Guests      int                  `json:"guests"`
			Type        models.WeddingType   `json:"type,omitempty"`
			Tier        models.WeddingTier   `json:"tier,omitempty"`
			Region      string               `json:"region,omitempty"`
			Status      models.WeddingStatus `json:"status"`
			Coordinator string               `json:"coordinator,omitempty"`
		}{
			m.Reference, m.TimeZone, start.Format(time.RFC3339), end.Format(time.RFC3339), m.Guests, m.Type, m.Tier, m.Region, m.Status, m.Coordinator,
		}); err != nil {
			return err
		}
	}
	return nil
}

// writeICS writes times in UTC, which is never in doubt, and the zone beside them.
func writeICS(w io.Writer, weddings []models.Wedding) error {
	cal := ics.NewCalendarFor("wedsync")
	for _, m := range weddings {
		e := cal.AddEvent(m.Reference)
		e.SetDtStampTime(m.StartsAt)
		e.SetStartAt(m.StartsAt)
		e.SetEndAt(m.EndsAt)
		e.SetSummary("Wedding " + m.Reference)
		e.SetStatus(map[models.WeddingStatus]ics.ObjectStatus{
			models.WeddingConfirmed: ics.ObjectStatusConfirmed, models.WeddingTentative: ics.ObjectStatusTentative, models.WeddingCancelled: ics.ObjectStatusCancelled,
		}[m.Status])
		for _, p := range []struct{ name, value string }{
			{propGuests, strconv.Itoa(m.Guests)}, {propZone, m.TimeZone}, {propType, string(m.Type)}, {propTier, string(m.Tier)},
			{propRegion, m.Region}, {propCoordinator, m.Coordinator},
		} {
			if p.value != "" {
				e.AddProperty(ics.ComponentProperty(p.name), ics.ToText(p.value))
			}
		}
	}
	return cal.SerializeTo(w)
}

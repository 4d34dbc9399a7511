package access

import (
	"time"

	"github.com/wedsync/scalability/models"
)

// How long before the ceremony and after the last guest a wedding's coordinator may ask
// for priority. Source: docs/adr/0005-roles-in-casbin-audited-before-the-answer.md.
const (
	weddingDayLead  = 24 * time.Hour
	weddingDayAfter = 6 * time.Hour
)

// OnWeddingDay says whether now lies within [start − 24 h, end + 6 h] of a wedding that
// is not cancelled and that subject coordinates.
func OnWeddingDay(weddings []models.Wedding, subject string, now time.Time) bool {
	if !IsSubject(subject) {
		return false // also an unassigned wedding has a coordinator: ""
	}
	for _, w := range weddings {
		if w.Coordinator != subject || w.Status == models.WeddingCancelled {
			continue
		}
		if !now.Before(w.StartsAt.Add(-weddingDayLead)) && !now.After(w.EndsAt.Add(weddingDayAfter)) {
			return true
		}
	}
	return false
}

package models

import "time"

// WeddingStatus is where a wedding stands. The zero value is not valid in a row.
type WeddingStatus string

// The statuses of a wedding.
const (
	WeddingTentative WeddingStatus = "tentative"
	WeddingConfirmed WeddingStatus = "confirmed"
	WeddingCancelled WeddingStatus = "cancelled"
)

// Wedding is an event that brings guests, known before it happens. It carries no
// names: a reference of the booking system and numbers are all that scaling needs.
// Row of table weddings.
type Wedding struct {
	ID          string        `json:"id" gorm:"primaryKey"`
	Reference   string        `json:"reference"`                                       // the booking system's own key, unique
	TimeZone    string        `json:"timeZone"`                                        // IANA name of the venue's zone
	StartsAt    time.Time     `json:"startsAt"`                                        // ceremony
	EndsAt      time.Time     `json:"endsAt"`                                          // last guest leaves
	WeddingDate string        `json:"weddingDate" gorm:"type:date;serializer:isodate"` // date of the ceremony in the venue's zone, YYYY-MM-DD
	Guests      int           `json:"guests"`
	Region      string        `json:"region"`
	Status      WeddingStatus `json:"status"`
	Coordinator string        `json:"coordinator,omitempty"` // subject, e.g. user:anna
	Revision    int64         `json:"revision"`
	CreatedAt   time.Time     `json:"createdAt"`
	UpdatedAt   time.Time     `json:"updatedAt"`
}

// TableName is the SQL table.
func (Wedding) TableName() string { return "weddings" }

// MaxWeddingHours bounds the length of one wedding.
const MaxWeddingHours = 96

// Normalise checks a wedding against its zone and sets WeddingDate from it. The zone
// database is the caller's: load is time.LoadLocation.
func (w Wedding) Normalise(load func(string) (*time.Location, error)) (Wedding, error) {
	if err := text("reference", w.Reference, 1, 100); err != nil {
		return w, err
	}
	if w.TimeZone == "" || w.TimeZone == "Local" {
		return w, Invalid("timeZone", w.TimeZone, "must be an IANA time zone such as Europe/London")
	}
	loc, err := load(w.TimeZone)
	if err != nil {
		return w, Invalid("timeZone", w.TimeZone, "must be an IANA time zone such as Europe/London")
	}
	if w.StartsAt.IsZero() {
		return w, Invalid("startsAt", "", "is required, with an offset, as in 2027-06-12T14:00:00+01:00")
	}
	if !w.EndsAt.After(w.StartsAt) || w.EndsAt.Sub(w.StartsAt) > MaxWeddingHours*time.Hour {
		return w, Invalid("endsAt", w.EndsAt.Format(time.RFC3339), "must be after startsAt by at most 96 hours")
	}
	if w.Guests < 1 || w.Guests > 100_000 {
		return w, Invalid("guests", w.Guests, "must be from 1 to 100000")
	}
	switch w.Status {
	case WeddingTentative, WeddingConfirmed, WeddingCancelled:
	default:
		return w, Invalid("status", w.Status, "must be one of tentative, confirmed, cancelled")
	}
	if err := text("region", w.Region, 0, 60); err != nil {
		return w, err
	}
	if err := text("coordinator", w.Coordinator, 0, 200); err != nil {
		return w, err
	}
	w.StartsAt, w.EndsAt = w.StartsAt.UTC(), w.EndsAt.UTC()
	w.WeddingDate = w.StartsAt.In(loc).Format(time.DateOnly)
	return w, nil
}

// WeddingFilter selects weddings by start, earliest first. Zero fields do not filter.
type WeddingFilter struct {
	From, Until      time.Time // weddings that overlap [From, Until)
	IncludeCancelled bool
	Limit            int
	After            *Cursor // by StartsAt, then ID
}

package models

import (
	"net/url"
	"time"
)

// CalendarFeed is an address that weddings are read from at intervals. Row of table
// calendar_feeds. Its URL may hold a secret.
type CalendarFeed struct {
	ID            string         `json:"id" gorm:"primaryKey"`
	URL           string         `json:"url" gorm:"column:url"`
	Format        CalendarFormat `json:"format"`
	Source        string         `json:"source"`
	Region        string         `json:"region"`
	TimeZone      string         `json:"timeZone"` // of times that name none
	EverySeconds  int            `json:"everySeconds"`
	Enabled       bool           `json:"enabled"`
	ETag          string         `json:"-" gorm:"column:etag"`
	LastModified  string         `json:"-"`
	LastAttemptAt *time.Time     `json:"lastAttemptAt,omitempty"`
	LastReadAt    *time.Time     `json:"lastReadAt,omitempty"` // the last time that it was read whole
	LastError     string         `json:"lastError,omitempty"`  // of the last attempt; empty: it went well
	Weddings      int            `json:"weddings"`             // in it when it was read last
	CreatedAt     time.Time      `json:"createdAt"`
	CreatedBy     string         `json:"createdBy"`
	UpdatedAt     time.Time      `json:"updatedAt"`
}

// TableName is the SQL table.
func (CalendarFeed) TableName() string { return "calendar_feeds" }

// Check holds a feed to its rules. Errors do not show the address, which may hold a secret.
func (f CalendarFeed) Check(load func(string) (*time.Location, error)) error {
	u, err := url.Parse(f.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(f.URL) > 2000 {
		return Invalid("url", "", "must be an http or https address of at most 2000 characters, without user and password")
	}
	if _, err := ParseCalendarFormat("format", string(f.Format)); err != nil {
		return err
	}
	if err := CheckSource(f.Source); err != nil {
		return err
	}
	if f.Source == SourceAPI {
		return Invalid("source", f.Source, "must not be api, which is for weddings that people book")
	}
	if f.EverySeconds < 60 || f.EverySeconds > 86_400 {
		return Invalid("everySeconds", f.EverySeconds, "must be from 60 to 86400")
	}
	if f.TimeZone != "" {
		if err := CheckZone("timeZone", f.TimeZone, load); err != nil {
			return err
		}
	}
	return text("region", f.Region, 0, 60)
}

// ReadAge is how long ago the feed was read whole; since its creation where it never was.
func (f CalendarFeed) ReadAge(now time.Time) time.Duration {
	if f.LastReadAt == nil {
		return now.Sub(f.CreatedAt)
	}
	return now.Sub(*f.LastReadAt)
}

// Host is the part of the address that everybody may see.
func (f CalendarFeed) Host() string {
	u, err := url.Parse(f.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// CalendarAlarm is how worrying the age of the calendar is. The zero value claims nothing.
type CalendarAlarm string

// The states.
const (
	CalendarFresh    CalendarAlarm = "fresh"
	CalendarWarning  CalendarAlarm = "warning"
	CalendarCritical CalendarAlarm = "critical"
)

// Bounds on the age of a feed.
const (
	CalendarWarnAfter  = 6 * time.Hour // from Friday to Sunday, UTC
	CalendarAlarmAfter = 24 * time.Hour
)

// AlarmOf judges an age: above 24 hours it alarms; above six it warns from Friday to
// Sunday, when what is missing may be tomorrow's.
func AlarmOf(age time.Duration, now time.Time) CalendarAlarm {
	day := now.UTC().Weekday()
	weekend := day == time.Friday || day == time.Saturday || day == time.Sunday
	switch {
	case age > CalendarAlarmAfter:
		return CalendarCritical
	case age > CalendarWarnAfter && weekend:
		return CalendarWarning
	default:
		return CalendarFresh
	}
}

// FeedState is a feed as everybody may see it.
type FeedState struct {
	ID            string        `json:"id"`
	Source        string        `json:"source"`
	Host          string        `json:"host"`
	Region        string        `json:"region"`
	Enabled       bool          `json:"enabled"`
	EverySeconds  int           `json:"everySeconds"`
	LastAttemptAt *time.Time    `json:"lastAttemptAt,omitempty"`
	LastReadAt    *time.Time    `json:"lastReadAt,omitempty"`
	LastError     string        `json:"lastError,omitempty"`
	AgeSeconds    int64         `json:"ageSeconds"`
	Alarm         CalendarAlarm `json:"alarm"`
	Weddings      int           `json:"weddings"`
}

// CalendarStatus is how well the calendar is known.
type CalendarStatus struct {
	ReadAt     time.Time             `json:"readAt"` // of the oldest enabled feed; now where there is none
	AgeSeconds int64                 `json:"ageSeconds"`
	Alarm      CalendarAlarm         `json:"alarm"`
	Text       string                `json:"text"`
	Weddings   map[WeddingStatus]int `json:"weddings"` // that are not over
	Feeds      []FeedState           `json:"feeds"`
}

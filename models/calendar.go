package models

import (
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"
)

// CalendarFormat is how weddings are written down.
type CalendarFormat string

// The formats.
const (
	FormatICS   CalendarFormat = "ics"   // iCalendar, RFC 5545
	FormatCSV   CalendarFormat = "csv"   // RFC 4180 with a header
	FormatJSONL CalendarFormat = "jsonl" // one JSON object a line
)

// ParseCalendarFormat reads the name of a format.
func ParseCalendarFormat(field, name string) (CalendarFormat, error) {
	switch f := CalendarFormat(name); f {
	case FormatICS, FormatCSV, FormatJSONL:
		return f, nil
	default:
		return "", Invalid(field, name, "must be one of ics, csv, jsonl")
	}
}

// WeddingContact is whom to reach about a wedding. It is encrypted where it is kept and
// shows itself in no log and no text form but JSON.
type WeddingContact struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// IsEmpty says that nobody is named.
func (c WeddingContact) IsEmpty() bool { return c == WeddingContact{} }

// String hides the contact.
func (WeddingContact) String() string { return "[contact]" }

// GoString hides the contact under %#v.
func (c WeddingContact) GoString() string { return c.String() }

// LogValue hides the contact in logs.
func (c WeddingContact) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Check holds a contact to its bounds. Its errors name the field and never the value.
func (c WeddingContact) Check() error {
	if c.IsEmpty() {
		return Invalid("contact", "", "must have a name, an email or a phone")
	}
	for _, f := range []struct {
		name, value string
		most        int
	}{{"contact.name", c.Name, 200}, {"contact.email", c.Email, 254}, {"contact.phone", c.Phone, 40}} {
		if err := text(f.name, f.value, 0, f.most); err != nil {
			return Invalid(f.name, "", fmt.Sprintf("must be text of at most %d characters", f.most))
		}
	}
	if a, err := mail.ParseAddress(c.Email); c.Email != "" && (err != nil || a.Address != c.Email) {
		return Invalid("contact.email", "", "must be an address such as name@example.org")
	}
	if strings.ContainsFunc(c.Phone, func(r rune) bool { return !strings.ContainsRune("+0123456789 ()-./", r) }) {
		return Invalid("contact.phone", "", "must be a number such as +44 20 7946 0000")
	}
	return nil
}

// ImportRow is one wedding of a file or feed, checked.
type ImportRow struct {
	Line    int // of the file, from 1
	Wedding Wedding
	Contact *WeddingContact
	Keep    ImportKeep
}

// ImportKeep says what the file left out: there the stored value stays.
type ImportKeep struct{ Type, Tier, Region, Coordinator, UID, Version bool }

// ImportFault is a row that cannot be taken.
type ImportFault struct {
	Line      int    `json:"line"`
	Reference string `json:"reference,omitempty"`
	Field     string `json:"field"`
	Value     string `json:"value,omitempty"`
	Rule      string `json:"rule"`
}

// ImportNote is what was understood in one of several ways.
type ImportNote struct {
	Line      int    `json:"line"`
	Reference string `json:"reference,omitempty"`
	Text      string `json:"text"`
}

// ImportRequest is one reading of a source.
type ImportRequest struct {
	Source   string
	Format   CalendarFormat
	Region   string // of rows that name none
	TimeZone string // of times that name none
	DryRun   bool
	Whole    bool // the data is all that the source has: what vanished is cancelled
	Data     []byte
}

// ImportPlan is what storage is asked to bring about, in one transaction.
type ImportPlan struct {
	Source string
	Rows   []ImportRow
	Whole  bool
	DryRun bool
	Actor  string
	Now    time.Time
}

// ImportReport says what an import did, or would do.
type ImportReport struct {
	Source          string           `json:"source"`
	Format          CalendarFormat   `json:"format"`
	DryRun          bool             `json:"dryRun"`
	Applied         bool             `json:"applied"` // false: nothing was changed
	Read            int              `json:"read"`
	Created         int              `json:"created"`
	Changed         int              `json:"changed"`
	Unchanged       int              `json:"unchanged"`
	Cancelled       int              `json:"cancelled"`
	Stale           int              `json:"stale"` // older than what is known; left as it is
	Faulty          int              `json:"faulty"`
	Faults          []ImportFault    `json:"faults"` // the first hundred
	Notes           []ImportNote     `json:"notes"`  // the first hundred
	Anonymised      bool             `json:"anonymised"`
	ContactsDropped int              `json:"contactsDropped"`
	Changes         []CalendarChange `json:"-"`
}

// CalendarChangeKind is what happened to a wedding.
type CalendarChangeKind string

// The kinds of change.
const (
	WeddingWasCreated   CalendarChangeKind = "created"
	WeddingWasChanged   CalendarChangeKind = "changed"
	WeddingWasCancelled CalendarChangeKind = "cancelled"
)

// CalendarChange tells those who plan by the calendar. Before is the zero Wedding where it
// was created.
type CalendarChange struct {
	Kind   CalendarChangeKind `json:"kind"`
	Before Wedding            `json:"before"`
	After  Wedding            `json:"after"`
}

// ChangeOf names what became of a wedding.
func ChangeOf(before, after Wedding) CalendarChange {
	c := CalendarChange{Kind: WeddingWasChanged, Before: before, After: after}
	switch {
	case before.ID == "":
		c.Kind = WeddingWasCreated
	case after.Status == WeddingCancelled && before.Status != WeddingCancelled:
		c.Kind = WeddingWasCancelled
	}
	return c
}

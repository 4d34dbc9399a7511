package models

import (
	"cmp"
	"slices"
	"time"
)

// WeddingStatus is where a wedding stands. The zero value is not valid in a row.
type WeddingStatus string

// The statuses of a wedding.
const (
	WeddingTentative WeddingStatus = "tentative"
	WeddingConfirmed WeddingStatus = "confirmed"
	WeddingCancelled WeddingStatus = "cancelled"
)

// WeddingType is the kind of celebration. The zero value is not valid in a row.
type WeddingType string

// The types of wedding.
const (
	WeddingChurch      WeddingType = "church"      // any house of worship
	WeddingCivil       WeddingType = "civil"       // register office, town hall
	WeddingOutdoor     WeddingType = "outdoor"     // garden, beach, marquee
	WeddingDestination WeddingType = "destination" // guests travel, often for days
	WeddingOther       WeddingType = "other"
)

// WeddingTypes lists the types in fixed order.
func WeddingTypes() []WeddingType {
	return []WeddingType{WeddingChurch, WeddingCivil, WeddingOutdoor, WeddingDestination, WeddingOther}
}

// WeddingTier is what was promised to the couple. The zero value is not valid in a row.
type WeddingTier string

// The tiers of a wedding.
const (
	TierOfStandard WeddingTier = "standard"
	TierOfPremium  WeddingTier = "premium"
	TierOfFlagship WeddingTier = "flagship"
)

// WeddingTiers lists the tiers from the least to the most.
func WeddingTiers() []WeddingTier {
	return []WeddingTier{TierOfStandard, TierOfPremium, TierOfFlagship}
}

// SourceAPI is the source of weddings that people book by hand.
const SourceAPI = "api"

// Wedding is an event that brings guests, known before it happens. It carries no
// names: a reference of the booking system and numbers are all that scaling needs.
// Contacts are apart, in WeddingContact. Row of table weddings.
type Wedding struct {
	ID            string        `json:"id" gorm:"primaryKey"`
	Source        string        `json:"source"`                                           // the booking system or feed, SourceAPI for people
	Reference     string        `json:"reference"`                                        // the source's own key, unique in it
	ExternalUID   string        `json:"externalUid,omitempty" gorm:"column:external_uid"` // as in the source's calendar, where it has one
	SourceVersion int64         `json:"sourceVersion,omitempty"`                          // counts the source's changes; an older one never overwrites
	TimeZone      string        `json:"timeZone"`                                         // IANA name of the venue's zone
	StartsAt      time.Time     `json:"startsAt"`                                         // ceremony
	EndsAt        time.Time     `json:"endsAt"`                                           // last guest leaves
	WeddingDate   string        `json:"weddingDate" gorm:"type:date;serializer:isodate"`  // date of the ceremony in the venue's zone, YYYY-MM-DD
	Guests        int           `json:"guests"`
	Type          WeddingType   `json:"type"`
	Tier          WeddingTier   `json:"tier"`
	Region        string        `json:"region"`
	Status        WeddingStatus `json:"status"`
	Coordinator   string        `json:"coordinator,omitempty"` // subject, e.g. user:anna
	Revision      int64         `json:"revision"`
	CreatedAt     time.Time     `json:"createdAt"`
	UpdatedAt     time.Time     `json:"updatedAt"`
}

// UsualWedding is how long one is taken to last where nobody says.
const UsualWedding = 8 * time.Hour

// TableName is the SQL table.
func (Wedding) TableName() string { return "weddings" }

// MaxWeddingHours bounds the length of one wedding.
const MaxWeddingHours = 96

// WithDefaults fills what a caller may leave out: source, type and tier.
func (w Wedding) WithDefaults() Wedding {
	w.Source = cmp.Or(w.Source, SourceAPI)
	w.Type = cmp.Or(w.Type, WeddingOther)
	w.Tier = cmp.Or(w.Tier, TierOfStandard)
	return w
}

// Normalise checks a wedding against its zone, fills what may be left out and sets
// WeddingDate from the start. The zone database is the caller's: load is
// time.LoadLocation.
func (w Wedding) Normalise(load func(string) (*time.Location, error)) (Wedding, error) {
	w = w.WithDefaults()
	if err := w.checkNames(); err != nil {
		return w, err
	}
	if err := CheckZone("timeZone", w.TimeZone, load); err != nil {
		return w, err
	}
	loc, err := load(w.TimeZone)
	if err != nil {
		return w, Invalid("timeZone", w.TimeZone, ruleZone)
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
	if err := w.checkWords(); err != nil {
		return w, err
	}
	w.StartsAt, w.EndsAt = w.StartsAt.UTC(), w.EndsAt.UTC()
	w.WeddingDate = w.StartsAt.In(loc).Format(time.DateOnly)
	return w, nil
}

const ruleZone = "must be an IANA time zone such as Europe/London"

// checkNames looks at the keys by which others know the wedding.
func (w Wedding) checkNames() error {
	if err := text("reference", w.Reference, 1, 100); err != nil {
		return err
	}
	if err := CheckSource(w.Source); err != nil {
		return err
	}
	if w.SourceVersion < 0 {
		return Invalid("sourceVersion", w.SourceVersion, "must be at least 0")
	}
	return text("externalUid", w.ExternalUID, 0, 255)
}

// CheckSource looks at the name of a source.
func CheckSource(source string) error {
	ok := source != "" && len(source) <= 60 && source[0] != '-' && source[0] != '.'
	for _, c := range source {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_')
	}
	if !ok {
		return Invalid("source", source, "must have 1 to 60 of a-z, 0-9, dot, hyphen and underscore, and begin with a letter, a digit or an underscore")
	}
	return nil
}

// checkWords looks at what is one of a few words, and at what people wrote.
func (w Wedding) checkWords() error {
	switch w.Status {
	case WeddingTentative, WeddingConfirmed, WeddingCancelled:
	default:
		return Invalid("status", w.Status, "must be one of tentative, confirmed, cancelled")
	}
	if !slices.Contains(WeddingTypes(), w.Type) {
		return Invalid("type", w.Type, "must be one of church, civil, outdoor, destination, other")
	}
	if !slices.Contains(WeddingTiers(), w.Tier) {
		return Invalid("tier", w.Tier, "must be one of standard, premium, flagship")
	}
	if err := text("region", w.Region, 0, 60); err != nil {
		return err
	}
	return text("coordinator", w.Coordinator, 0, 200)
}

// WeddingFilter selects weddings by start, earliest first. Zero fields do not filter.
type WeddingFilter struct {
	From, Until      time.Time // weddings that overlap [From, Until)
	IncludeCancelled bool      // without Status: the cancelled too
	Status           WeddingStatus
	Region           string
	Coordinator      string
	Source           string
	Limit            int
	After            *Cursor // by StartsAt, then ID
}
